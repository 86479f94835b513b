package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/errs"
)

func talkCells() []cell {
	var cells []cell
	for _, a := range around {
		cells = append(cells, cell{"bidi stream: " + a.name, func(ctx context.Context, p peer) error {
			return talk(ctx, p, a.sizes)
		}})
	}
	return append(cells,
		cell{"bidi stream: application error", func(ctx context.Context, p peer) error {
			err := talkRefused(ctx, p, "error 4001 the reason")
			return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
		}},
		cell{"bidi stream: framework error", func(ctx context.Context, p peer) error {
			return same(code(talkRefused(ctx, p, "fail 51 the reason")), "frame 51 the reason")
		}},
		cell{"bidi stream: error after some messages", func(ctx context.Context, p peer) error {
			err := talkRefused(ctx, p, "error 4001 the reason", "one", "two")
			return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
		}},
		// What comes with the end, tRPC-Go decodes into a message of its reading loop, which callers cannot reach.
		cell{"bidi stream: metadata to the server", func(ctx context.Context, p peer) error {
			s, err := p.talk(ctx, client.WithMetaData("tenant", []byte("blue")))
			if err != nil {
				return err
			}
			if err := send(s, "meta back there"); err != nil {
				return err
			}
			got, err := recv(s)
			return errors.Join(err, same(got, "tenant=blue"), s.CloseSend(), ended(s))
		}},
		cell{"bidi stream: ended by the server before the half-close", func(ctx context.Context, p peer) error {
			s, err := p.talk(ctx)
			if err != nil {
				return err
			}
			return errors.Join(send(s, "done"), ended(s))
		}},
		cell{"bidi stream: unknown service", func(ctx context.Context, p peer) error {
			_, err := p.start(ctx, "test.all.Absent", "Talk", true, true)
			return same(errs.Code(err), 11)
		}},
		cell{"bidi stream: unknown method", func(ctx context.Context, p peer) error {
			_, err := p.start(ctx, service, "Missing", true, true)
			return same(errs.Code(err), 12)
		}},
		cell{"bidi stream: gzip, zlib, both snappy, lz4 frame", func(ctx context.Context, p peer) error {
			for _, compression := range interoperable {
				if err := talk(ctx, p, []int{5000, 0, 5}, client.WithCompressType(compression)); err != nil {
					return fmt.Errorf("compression %d: %w", compression, err)
				}
			}
			return nil
		}},
		cell{"bidi stream: timeout, which passes", func(ctx context.Context, p peer) error {
			inner, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			s, err := p.talk(inner)
			if err != nil {
				return err
			}
			_, err = recv(s)
			return timedOut(err)
		}},
	)
}

// talk sends texts of these sizes, and reads them back.
func talk(ctx context.Context, p peer, sizes []int, more ...client.Option) error {
	s, err := p.talk(ctx, more...)
	if err != nil {
		return err
	}
	for _, size := range sizes {
		if err := echo(s, strings.Repeat("x", size)); err != nil {
			return err
		}
	}
	return errors.Join(s.CloseSend(), ended(s))
}

// talkRefused sends texts that come back, and then an order, and gives the error that comes for an answer.
func talkRefused(ctx context.Context, p peer, order string, before ...string) error {
	s, err := p.talk(ctx)
	if err != nil {
		return err
	}
	for _, text := range before {
		if err := echo(s, text); err != nil {
			return err
		}
	}
	if err := send(s, order); err != nil {
		return err
	}
	_, err = recv(s)
	return err
}
