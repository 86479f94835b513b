package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
)

// limit is how long a cell may take: one that hangs has failed.
const limit = 20 * time.Second

// interoperable are the compressions that Trill knows. CompressTypeSnappy is number 2, which means another format to tRPC-Cpp.
var interoperable = []int{
	codec.CompressTypeGzip, codec.CompressTypeZlib, codec.CompressTypeSnappy, codec.CompressTypeBlockSnappy, codec.CompressTypeStreamLZ4,
}

// around are sizes of texts about the window of 65,535 bytes: four bytes of a message are not its text.
var around = []struct {
	name  string
	sizes []int
}{
	{"ok", []int{3, 2, 5}},
	{"empty message", []int{0}},
	{"no message at all", nil},
	{"1 byte below the window", []int{65_530, 1}},
	{"as large as the window", []int{65_531, 1}},
	{"1 byte above the window", []int{65_532, 1}},
	{"larger than the window", []int{300_000, 300_000, 1}},
	{"a window that grows", sameSizes(30_000, 1_000)},
}

func sameSizes(size, count int) []int {
	sizes := make([]int, count)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

type cell struct {
	name string
	run  func(ctx context.Context, p peer) error
}

// run runs cells against a server, which pair names, prints one line each, and counts those that failed.
func run(p peer, pair, how string, cells []cell) int {
	failed := 0
	for _, c := range cells {
		if err := c.outcome(p); err != nil {
			failed++
			fmt.Printf("FAIL  %s, %s | %s: %v; pending in Go: [%v]\n", pair, how, c.name, err, &waits)
		} else {
			fmt.Printf("ok    %s, %s | %s\n", pair, how, c.name)
		}
	}
	return failed
}

// call runs all cells against a server, and gives the exit code.
func call(address, pair string, hops int) int {
	failed := 0
	p := peer{address: address, hops: hops}
	multiplexed := peer{address: address, hops: hops, options: []client.Option{client.WithMultiplexed(true)}}
	for _, cells := range [][]cell{unaryCells, onewayCells, shapesUnaryCells} {
		failed += run(p, pair, "pooled", cells)
		failed += run(multiplexed, pair, "multiplexed", cells)
	}
	for _, cells := range [][]cell{uploadCells(), downloadCells(), talkCells(), pressureCells, stoppedCells, windowCells, shapesStreamCells, togetherCells} {
		failed += run(p, pair, "streams", cells)
	}
	return exitCode(failed)
}

func exitCode(failed int) int {
	if failed > 0 {
		return 1
	}
	return 0
}

// outcome runs the cell with its limit of time.
func (c cell) outcome(p peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.run(ctx, p) }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit - time.Second):
		return errors.New("it hangs")
	}
}

var togetherCells = []cell{
	{"bidi stream: 1,000 at once with unary calls in between", func(ctx context.Context, p peer) error {
		return atOnce(1000, func(i int) error {
			s, err := p.talk(ctx)
			if err != nil {
				return err
			}
			for round := 0; round < 3; round++ {
				if err := echo(s, fmt.Sprintf("%d/%d", i, round)); err != nil {
					return err
				}
			}
			if i%10 == 0 {
				if _, err := p.unary(ctx, "Unary", "in between"); err != nil {
					return err
				}
			}
			return errors.Join(s.CloseSend(), ended(s))
		})
	}},
}

func atOnce(count int, run func(i int) error) error {
	var wait sync.WaitGroup
	failed := make(chan error, count)
	for i := 0; i < count; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := run(i); err != nil {
				failed <- fmt.Errorf("%d: %w", i, err)
			}
		}()
	}
	wait.Wait()
	close(failed)
	return <-failed
}
