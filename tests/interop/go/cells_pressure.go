package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"trpc.group/trpc-go/trpc-go/client"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
)

const (
	// window is that of either peer, in each direction, at first, and grown is as far as those of the Trill programs grow.
	window = 65_535
	grown  = 2 * window
	// many messages do not fit into the windows between two programs.
	many = 10_000
)

var filler = strings.Repeat("x", 100)

var fillerSize = int64(proto.Size(&pb.HelloRequest{Msg: filler}))

var pressureCells = []cell{
	{"client stream: 10,000 messages, the server reads slowly", func(ctx context.Context, p peer) error {
		return uploadMany(ctx, p, "pace 1", false)
	}},
	{"client stream: 10,000 messages, the server does not read for a while", func(ctx context.Context, p peer) error {
		return uploadMany(ctx, p, "wait", true)
	}},
	{"server stream: 10,000 messages, the client reads slowly", func(ctx context.Context, p peer) error {
		s, err := p.download(ctx, fmt.Sprintf("fill %d 100", many))
		if err != nil {
			return err
		}
		return readMany(s, true)
	}},
	{"server stream: 10,000 messages, the client does not read for a while", func(ctx context.Context, p peer) error {
		before, err := p.written(ctx)
		if err != nil {
			return err
		}
		s, err := p.download(ctx, fmt.Sprintf("fill %d 100", many))
		if err != nil {
			return err
		}
		progress := func() int64 {
			now, _ := p.written(ctx)
			return now - before
		}
		return errors.Join(bounded(ctx, progress, p.hops), readMany(s, false))
	}},
	{"bidi stream: 10,000 messages each way, the server reads slowly", func(ctx context.Context, p peer) error {
		s, err := p.talk(ctx)
		if err != nil {
			return err
		}
		if err := send(s, "pace 1"); err != nil {
			return err
		}
		done, _ := writeMany(s)
		return errors.Join(readMany(s, false), <-done)
	}},
	{"bidi stream: 10,000 messages each way, the client reads slowly", func(ctx context.Context, p peer) error {
		s, err := p.talk(ctx)
		if err != nil {
			return err
		}
		done, _ := writeMany(s)
		return errors.Join(readMany(s, true), <-done)
	}},
	{"bidi stream: 10,000 messages each way, the server does not read for a while", func(ctx context.Context, p peer) error {
		s, err := p.talk(ctx)
		if err != nil {
			return err
		}
		if err := send(s, "wait"); err != nil {
			return err
		}
		done, progress := writeMany(s)
		if err := bounded(ctx, progress.Load, p.hops); err != nil {
			return err
		}
		if _, err := p.unary(ctx, "Unary", "resume"); err != nil {
			return err
		}
		got, err := recv(s)
		return errors.Join(err, same(got, "resumed"), readMany(s, false), <-done)
	}},
	{"bidi stream: 10,000 messages each way, the client does not read for a while", func(ctx context.Context, p peer) error {
		s, err := p.talk(ctx)
		if err != nil {
			return err
		}
		done, progress := writeMany(s)
		// The server reads as long as it can write.
		return errors.Join(bounded(ctx, progress.Load, 2*p.hops), readMany(s, false), <-done)
	}},
}

func uploadMany(ctx context.Context, p peer, order string, blocked bool) error {
	s, err := p.upload(ctx)
	if err != nil {
		return err
	}
	if err := send(s, order); err != nil {
		return err
	}
	done, progress := writeMany(s)
	counted, size := many, many*len(filler)
	if blocked {
		if err := bounded(ctx, progress.Load, p.hops); err != nil {
			return err
		}
		if _, err := p.unary(ctx, "Unary", "resume"); err != nil {
			return err
		}
		counted, size = counted+1, size+len(order)
	}
	if err := <-done; err != nil {
		return err
	}
	got, err := recv(s)
	return errors.Join(err, same(got, fmt.Sprintf("%d messages, %d bytes", counted, size)))
}

// written asks how many bytes of messages the server's streams have written so far.
func (p peer) written(ctx context.Context) (int64, error) {
	text, err := p.unary(ctx, "Unary", "written")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// bounded waits until a writer has used its window, and wants it to stop there: on each connection at most the window, and one message
// that may start as long as there is any of it; and the message that each program in between has in its hand.
func bounded(ctx context.Context, progress func() int64, connections int) error {
	for progress() < window {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	limit := int64(connections)*(grown+fillerSize) + int64(connections-1)*fillerSize
	if got := progress(); got > limit {
		return fmt.Errorf("%d bytes were written, at most %d may be", got, limit)
	}
	return nil
}

// writeMany writes all messages, and tells how many bytes were written so far.
func writeMany(s client.ClientStream) (<-chan error, *atomic.Int64) {
	done, progress := make(chan error, 1), &atomic.Int64{}
	go func() {
		for i := 0; i < many; i++ {
			if err := send(s, filler); err != nil {
				done <- err
				return
			}
			progress.Add(fillerSize)
		}
		done <- s.CloseSend()
	}()
	return done, progress
}

func readMany(s client.ClientStream, slowly bool) error {
	for i := 0; i < many; i++ {
		got, err := recv(s)
		if err := errors.Join(err, same(got, filler)); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if slowly && i%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return ended(s)
}
