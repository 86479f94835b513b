package main

import (
	"context"
	"errors"

	"trpc.group/trpc-go/trpc-go/client"
)

// windowCells have another window, or none.
var windowCells = []cell{
	{"client stream: without flow control", func(ctx context.Context, p peer) error {
		sizes := make([]int, 100)
		for i := range sizes {
			sizes[i] = 10_000
		}
		return upload(ctx, p, sizes, client.WithDisableStreamFlowControl())
	}},
	{"server stream: without flow control", func(ctx context.Context, p peer) error {
		s, err := p.download(ctx, "count 30000", client.WithDisableStreamFlowControl())
		if err != nil {
			return err
		}
		return errors.Join(numbers(s, 30_000), ended(s))
	}},
	{"bidi stream: without flow control", func(ctx context.Context, p peer) error {
		return talk(ctx, p, []int{10_000, 200_000, 10_000, 0, 5}, client.WithDisableStreamFlowControl())
	}},
	{"bidi stream: a window of 1,000,000", func(ctx context.Context, p peer) error {
		return talk(ctx, p, []int{900_000, 0, 900_000, 5}, client.WithMaxWindowSize(1_000_000))
	}},
}
