package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/errs"
)

func downloadCells() []cell {
	var cells []cell
	for _, a := range around {
		cells = append(cells, cell{"server stream: " + a.name, func(ctx context.Context, p peer) error {
			return download(ctx, p, a.sizes)
		}})
	}
	return append(cells,
		cell{"server stream: empty request", func(ctx context.Context, p peer) error {
			s, err := p.download(ctx, "")
			if err != nil {
				return err
			}
			got, err := recv(s)
			return errors.Join(err, same(got, ""), ended(s))
		}},
		cell{"server stream: application error", func(ctx context.Context, p peer) error {
			s, err := p.download(ctx, "error 4001 the reason")
			if err != nil {
				return err
			}
			_, err = recv(s)
			return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
		}},
		cell{"server stream: framework error", func(ctx context.Context, p peer) error {
			s, err := p.download(ctx, "fail 51 the reason")
			if err != nil {
				return err
			}
			_, err = recv(s)
			return same(code(err), "frame 51 the reason")
		}},
		cell{"server stream: error after some messages", func(ctx context.Context, p peer) error {
			s, err := p.download(ctx, "count 100;error 4001 the reason")
			if err != nil {
				return err
			}
			if err := numbers(s, 100); err != nil {
				return err
			}
			_, err = recv(s)
			return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
		}},
		// What comes with the end, tRPC-Go decodes into a message of its reading loop, which callers cannot reach.
		cell{"server stream: metadata to the server", func(ctx context.Context, p peer) error {
			s, err := p.download(ctx, "meta back there", client.WithMetaData("tenant", []byte("blue")))
			if err != nil {
				return err
			}
			got, err := recv(s)
			return errors.Join(err, same(got, "tenant=blue"), ended(s))
		}},
		cell{"server stream: unknown service", func(ctx context.Context, p peer) error {
			_, err := p.start(ctx, "test.all.Absent", "Missing", false, true)
			return same(errs.Code(err), 11)
		}},
		cell{"server stream: unknown method", func(ctx context.Context, p peer) error {
			_, err := p.start(ctx, service, "Missing", false, true)
			return same(errs.Code(err), 12)
		}},
		cell{"server stream: gzip, zlib, both snappy, lz4 frame", func(ctx context.Context, p peer) error {
			for _, compression := range interoperable {
				if err := download(ctx, p, []int{5000, 0, 200_000}, client.WithCompressType(compression)); err != nil {
					return fmt.Errorf("compression %d: %w", compression, err)
				}
			}
			return nil
		}},
		cell{"server stream: timeout, which passes", func(ctx context.Context, p peer) error {
			inner, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			s, err := p.download(inner, "sleep 400")
			if err != nil {
				return err
			}
			_, err = recv(s)
			return timedOut(err)
		}},
	)
}

// download orders texts of these sizes, and reads them.
func download(ctx context.Context, p peer, sizes []int, more ...client.Option) error {
	// Without an order there would be an empty message.
	orders := []string{"count 0"}
	for _, size := range sizes {
		orders = append(orders, fmt.Sprintf("large %d", size))
	}
	s, err := p.download(ctx, strings.Join(orders, ";"), more...)
	if err != nil {
		return err
	}
	for _, size := range sizes {
		got, err := recv(s)
		if err := errors.Join(err, same(got, strings.Repeat("x", size))); err != nil {
			return err
		}
	}
	return ended(s)
}

// numbers reads what "count" orders.
func numbers(s client.ClientStream, count int) error {
	for i := 0; i < count; i++ {
		got, err := recv(s)
		if err := errors.Join(err, same(got, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}
