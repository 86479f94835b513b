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

func uploadCells() []cell {
	var cells []cell
	for _, a := range around {
		cells = append(cells, cell{"client stream: " + a.name, func(ctx context.Context, p peer) error {
			return upload(ctx, p, a.sizes)
		}})
	}
	return append(cells,
		cell{"client stream: application error", func(ctx context.Context, p peer) error {
			err := uploadRefused(ctx, p, "error 4001 the reason")
			return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
		}},
		cell{"client stream: framework error", func(ctx context.Context, p peer) error {
			return same(code(uploadRefused(ctx, p, "fail 51 the reason")), "frame 51 the reason")
		}},
		cell{"client stream: error after some messages", func(ctx context.Context, p peer) error {
			err := uploadRefused(ctx, p, "one", "two", "error 4001 the reason")
			return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
		}},
		// What comes with the end, tRPC-Go decodes into a message of its reading loop, which callers cannot reach.
		cell{"client stream: metadata to the server", func(ctx context.Context, p peer) error {
			s, err := p.upload(ctx, client.WithMetaData("tenant", []byte("blue")))
			if err != nil {
				return err
			}
			if err := errors.Join(send(s, "need tenant blue"), send(s, "meta back there"), s.CloseSend()); err != nil {
				return err
			}
			got, err := recv(s)
			return errors.Join(err, same(got, "2 messages, 31 bytes"))
		}},
		cell{"client stream: answered before the half-close", func(ctx context.Context, p peer) error {
			s, err := p.upload(ctx)
			if err != nil {
				return err
			}
			if err := errors.Join(send(s, "one"), send(s, "done")); err != nil {
				return err
			}
			got, err := recv(s)
			return errors.Join(err, same(got, "1 messages, 3 bytes"))
		}},
		cell{"client stream: unknown service", func(ctx context.Context, p peer) error {
			_, err := p.start(ctx, "test.all.Absent", "Missing", true, false)
			return same(errs.Code(err), 11)
		}},
		cell{"client stream: unknown method", func(ctx context.Context, p peer) error {
			_, err := p.start(ctx, service, "Missing", true, false)
			return same(errs.Code(err), 12)
		}},
		cell{"client stream: gzip, zlib, both snappy, lz4 frame", func(ctx context.Context, p peer) error {
			for _, compression := range interoperable {
				if err := upload(ctx, p, []int{5000, 0, 200_000}, client.WithCompressType(compression)); err != nil {
					return fmt.Errorf("compression %d: %w", compression, err)
				}
			}
			return nil
		}},
		cell{"client stream: timeout, which passes", func(ctx context.Context, p peer) error {
			inner, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			s, err := p.upload(inner)
			if err != nil {
				return err
			}
			_, err = recv(s)
			return timedOut(err)
		}},
	)
}

// upload sends texts of these sizes, and compares what the server has counted.
func upload(ctx context.Context, p peer, sizes []int, more ...client.Option) error {
	s, err := p.upload(ctx, more...)
	if err != nil {
		return err
	}
	total := 0
	for _, size := range sizes {
		if err := send(s, strings.Repeat("x", size)); err != nil {
			return err
		}
		total += size
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	got, err := recv(s)
	return errors.Join(err, same(got, fmt.Sprintf("%d messages, %d bytes", len(sizes), total)))
}

// uploadRefused sends orders, and gives the error that comes for an answer.
func uploadRefused(ctx context.Context, p peer, orders ...string) error {
	s, err := p.upload(ctx)
	if err != nil {
		return err
	}
	for _, order := range orders {
		if err := send(s, order); err != nil {
			return err
		}
	}
	_, err = recv(s)
	return err
}

// timedOut wants the error of a call whose time is over.
func timedOut(err error) error {
	if got := errs.Code(err); got != 101 && !strings.Contains(fmt.Sprint(err), "deadline exceeded") {
		return fmt.Errorf("got %v", err)
	}
	return nil
}
