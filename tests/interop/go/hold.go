package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
)

// held is something that a client has open.
type held struct {
	// next gives what comes from the server: nothing, while it is left alone.
	next func() error
	// end makes the server end it in order.
	end func() error
}

// hold holds something open and says "open". When the input is closed, it ends that in order, and says "left". When the server is gone
// first, it says "ended:" and how, calls until somebody answers again, and says "back".
//
// A short call ends by itself, which it says as "ended: <nil>".
//
// worker is the address of the server that works on it, which may be behind the one that is called.
func hold(address, kind, worker string) int {
	ctx, p := context.Background(), peer{address: address, worker: worker}
	if kind == "multiplexed" {
		kind, p.options = "unary", []client.Option{client.WithMultiplexed(true)}
	}
	h, err := p.open(ctx, kind)
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Println("open")
	over, input := make(chan error, 1), make(chan struct{})
	go func() { over <- h.next() }()
	go func() {
		_, _ = io.ReadAll(os.Stdin)
		close(input)
	}()
	select {
	case <-input:
		if err := h.end(); err != nil {
			fmt.Println("failed:", err)
			return 1
		}
		if err := <-over; err != nil && err != io.EOF {
			fmt.Println("failed:", err)
			return 1
		}
		fmt.Println("left")
		return 0
	case err := <-over:
		fmt.Println("ended:", code(err))
	}
	for start := time.Now(); time.Since(start) < limit; time.Sleep(20 * time.Millisecond) {
		if _, err = p.unary(ctx, "Unary", "hello", client.WithTimeout(time.Second)); err == nil {
			fmt.Println("back")
			return 0
		}
	}
	fmt.Println("failed:", err)
	return 1
}

// open opens something of a kind, and gives it once the server works on it.
func (p peer) open(ctx context.Context, kind string) (held, error) {
	if kind == "unary" || kind == "short" {
		order := map[string]string{"unary": "wait", "short": "sleep 300"}[kind]
		answered := make(chan error, 1)
		go func() {
			_, err := p.unary(ctx, "Unary", order, client.WithTimeout(limit))
			answered <- err
		}()
		return held{func() error { return <-answered }, p.resume(ctx)}, p.works(ctx, "unary")
	}
	if kind == "blocked" {
		return p.blocked(ctx)
	}
	s, err := p.opened(ctx, kind)
	if err != nil {
		return held{}, err
	}
	h := held{func() error { _, err := recv(s); return err }, s.CloseSend}
	if kind == "download" {
		h.end = p.resume(ctx)
	}
	return h, p.works(ctx, kind)
}

// blocked opens a stream of requests that waits for credit.
func (p peer) blocked(ctx context.Context) (held, error) {
	s, err := p.upload(ctx)
	if err != nil {
		return held{}, err
	}
	if err := send(s, "wait"); err != nil {
		return held{}, err
	}
	done, progress := writeMany(s)
	next := func() error {
		// A write that fails says that the stream is over, the answer says why.
		<-done
		_, err := recv(s)
		return err
	}
	// There may be a router in between.
	return held{next, p.resume(ctx)}, bounded(ctx, progress.Load, 2)
}

// opened opens a stream, and lets one message pass.
func (p peer) opened(ctx context.Context, kind string) (client.ClientStream, error) {
	switch kind {
	case "upload":
		s, err := p.upload(ctx)
		if err != nil {
			return nil, err
		}
		return s, send(s, "one")
	case "download":
		s, err := p.download(ctx, "count 1;wait")
		if err != nil {
			return nil, err
		}
		return s, numbers(s, 1)
	default:
		s, err := p.talk(ctx)
		if err != nil {
			return nil, err
		}
		return s, echo(s, "hello")
	}
}

func (p peer) resume(ctx context.Context) func() error {
	return func() error {
		_, err := peer{address: p.worker}.unary(ctx, "Unary", "resume")
		return err
	}
}

// works asks the server until it says that such a handler runs.
func (p peer) works(ctx context.Context, kind string) error {
	what := "1 of " + kind
	for {
		if text, err := (peer{address: p.worker}).unary(ctx, "Unary", "running"); err != nil || strings.Contains(text, what) {
			return err
		}
	}
}

// cancelled opens a stream, cancels it at some time, and shows by a call that the client goes on. It says "cancelled", and stays until its
// input is closed.
func cancelled(address, kind, when string) int {
	p := peer{address: address, worker: address}
	inner, cancel := context.WithCancel(context.Background())
	err := p.openUntil(inner, kind, when)
	cancel()
	if err == nil {
		_, err = p.unary(context.Background(), "Unary", "still there")
	}
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Println("cancelled")
	_, _ = io.ReadAll(os.Stdin)
	return 0
}

// openUntil opens a stream: and that is all ("early"), or messages go on it ("middle"), or its writer waits for credit ("blocked").
func (p peer) openUntil(ctx context.Context, kind, when string) error {
	if kind == "download" {
		order := map[string]string{"early": "wait", "middle": "count 100000", "blocked": "fill 10000 100"}[when]
		s, err := p.download(ctx, order)
		switch {
		case err == nil && when == "middle":
			_, err = recv(s)
		case err == nil && when == "blocked":
			err = bounded(ctx, func() int64 { now, _ := p.written(ctx); return now }, 1)
		}
		return errors.Join(err, p.works(ctx, kind))
	}
	open := p.talk
	if kind == "upload" {
		open = p.upload
	}
	s, err := open(ctx)
	if err != nil {
		return err
	}
	switch when {
	case "middle":
		err = errors.Join(send(s, "one"), send(s, "two"))
		if kind == "talk" {
			_, failed := recv(s)
			err = errors.Join(err, failed)
		}
	case "blocked":
		err = send(s, "wait")
		_, progress := writeMany(s)
		err = errors.Join(err, bounded(ctx, progress.Load, 1))
	}
	return errors.Join(err, p.works(ctx, kind))
}
