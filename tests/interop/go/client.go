package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/stream"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
	trpcpb "trpc.group/trpc/trpc-protocol/pb/go/trpc"
)

// limit is how long a cell may take: one that hangs has failed.
const limit = 20 * time.Second

// interoperable are the compressions that mean the same to all peers.
var interoperable = []int{codec.CompressTypeGzip, codec.CompressTypeZlib, codec.CompressTypeBlockSnappy, codec.CompressTypeStreamLZ4}

type peer struct {
	address string
	options []client.Option
}

func (p peer) unary(ctx context.Context, method, text string, more ...client.Option) (string, error) {
	ctx, msg := codec.WithCloneMessage(ctx)
	msg.WithClientRPCName("/" + service + "/" + method)
	msg.WithCalleeServiceName(service)
	msg.WithSerializationType(codec.SerializationTypePB)
	options := append([]client.Option{client.WithTarget("ip://" + p.address), client.WithProtocol("trpc")}, p.options...)
	rsp := &pb.HelloReply{}
	err := client.DefaultClient.Invoke(ctx, &pb.HelloRequest{Msg: text}, rsp, append(options, more...)...)
	return rsp.Msg, err
}

func (p peer) open(ctx context.Context, method string, fromClient, fromServer bool, more ...client.Option) (client.ClientStream, error) {
	ctx, msg := codec.WithCloneMessage(ctx)
	msg.WithClientRPCName("/" + service + "/" + method)
	msg.WithCalleeServiceName(service)
	msg.WithSerializationType(codec.SerializationTypePB)
	desc := &client.ClientStreamDesc{StreamName: method, ClientStreams: fromClient, ServerStreams: fromServer}
	options := append([]client.Option{client.WithTarget("ip://" + p.address), client.WithProtocol("trpc")}, more...)
	return stream.DefaultStreamClient.NewStream(ctx, desc, "/"+service+"/"+method, options...)
}

func send(s client.ClientStream, text string) error {
	return s.SendMsg(&pb.HelloRequest{Msg: text})
}

func recv(s client.ClientStream) (string, error) {
	rsp := &pb.HelloReply{}
	err := s.RecvMsg(rsp)
	return rsp.Msg, err
}

func same[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

// code takes an error apart: framework or application, and the number.
func code(err error) string {
	var e *errs.Error
	for err != nil && errors.As(err, &e) {
		// A stream's end is wrapped in code 351; what is inside is the peer's.
		if cause := e.Unwrap(); cause != nil {
			var inner *errs.Error
			if errors.As(cause, &inner) {
				err = cause
				continue
			}
		}
		kind := "frame"
		if e.Type == errs.ErrorTypeBusiness {
			kind = "app"
		}
		return fmt.Sprintf("%s %d %s", kind, e.Code, e.Msg)
	}
	return fmt.Sprint(err)
}

type cell struct {
	name string
	run  func(ctx context.Context, p peer) error
}

var unaryCells = []cell{
	{"unary: ok, empty and large", func(ctx context.Context, p peer) error {
		for _, text := range []string{"hello", "", strings.Repeat("x", 3_000_000)} {
			got, err := p.unary(ctx, "Unary", text)
			if err != nil {
				return err
			}
			if err := same(len(got), len(text)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"unary: application error", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Unary", "error 4001 the reason")
		return same(code(err), "app 4001 the reason")
	}},
	{"unary: framework error", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Unary", "fail 51 the reason")
		return same(code(err), "frame 51 the reason")
	}},
	{"unary: unknown method", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Missing", "")
		return same(errs.Code(err), 12)
	}},
	{"unary: metadata both ways", func(ctx context.Context, p peer) error {
		head := &trpcpb.ResponseProtocol{}
		got, err := p.unary(ctx, "Unary", "meta back there", client.WithMetaData("tenant", []byte("blue")), client.WithRspHead(head))
		return errors.Join(err, same(got, "tenant=blue"), same(string(head.TransInfo["back"]), "there"))
	}},
	{"unary: attachment both ways", func(ctx context.Context, p peer) error {
		attachment := client.NewAttachment(strings.NewReader("beside"))
		got, err := p.unary(ctx, "Unary", "attach", client.WithAttachment(attachment))
		if err != nil {
			return err
		}
		back, err := io.ReadAll(attachment.Response())
		if err != nil {
			return err
		}
		return errors.Join(same(got, "6 bytes"), same(string(back), "beside"))
	}},
	{"unary: gzip, zlib, snappy block, lz4 frame", func(ctx context.Context, p peer) error {
		text := strings.Repeat("long ", 1000)
		for _, compression := range interoperable {
			for _, sent := range []string{text, ""} {
				got, err := p.unary(ctx, "Unary", sent, client.WithCompressType(compression))
				if err != nil {
					return fmt.Errorf("compression %d: %w", compression, err)
				}
				if err := same(got, sent); err != nil {
					return err
				}
			}
		}
		return nil
	}},
	{"unary: timeout", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Unary", "hang", client.WithTimeout(200*time.Millisecond))
		// A multiplexed client of tRPC-Go reports its own deadline as a failure to read.
		if got := errs.Code(err); got != 101 && got != 24 && !strings.Contains(fmt.Sprint(err), "deadline exceeded") {
			return fmt.Errorf("got %v", err)
		}
		_, err = p.unary(ctx, "Unary", "still there")
		return err
	}},
	{"one-way", func(ctx context.Context, p peer) error {
		_, err := p.unary(ctx, "Notify", "news", client.WithSendOnly())
		return err
	}},
	{"unary: 1,000 calls at once", func(ctx context.Context, p peer) error {
		return atOnce(1000, func(i int) error {
			text := strconv.Itoa(i)
			got, err := p.unary(ctx, "Unary", text)
			return errors.Join(err, same(got, text))
		})
	}},
}

var streamCells = []cell{
	{"client stream: ok", func(ctx context.Context, p peer) error {
		return upload(ctx, p, []string{"one", "", "three"}, "3 messages, 8 bytes")
	}},
	{"client stream: no message", func(ctx context.Context, p peer) error {
		return upload(ctx, p, nil, "0 messages, 0 bytes")
	}},
	{"client stream: around the window", func(ctx context.Context, p peer) error {
		for _, size := range []int{65530, 65531, 65532, 200_000} {
			if err := upload(ctx, p, []string{strings.Repeat("x", size), "y"}, fmt.Sprintf("2 messages, %d bytes", size+1)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"client stream: 10,000 messages", func(ctx context.Context, p peer) error {
		messages := make([]string, 10_000)
		for i := range messages {
			messages[i] = "0123456789"
		}
		return upload(ctx, p, messages, "10000 messages, 100000 bytes")
	}},
	{"client stream: application error", func(ctx context.Context, p peer) error {
		s, err := p.open(ctx, "Upload", true, false)
		if err != nil {
			return err
		}
		if err := send(s, "error 4001 the reason"); err != nil {
			return err
		}
		_, err = recv(s)
		return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
	}},
	{"client stream: answered before the half-close", func(ctx context.Context, p peer) error {
		s, err := p.open(ctx, "Upload", true, false)
		if err != nil {
			return err
		}
		if err := errors.Join(send(s, "one"), send(s, "done")); err != nil {
			return err
		}
		got, err := recv(s)
		return errors.Join(err, same(got, "1 messages, 3 bytes"))
	}},
	{"server stream: 10,000 messages", func(ctx context.Context, p peer) error {
		return download(ctx, p, 10_000, 0)
	}},
	{"server stream: slow reader", func(ctx context.Context, p peer) error {
		return download(ctx, p, 30_000, 20*time.Microsecond)
	}},
	{"server stream: no message", func(ctx context.Context, p peer) error {
		return download(ctx, p, 0, 0)
	}},
	{"server stream: error after some messages", func(ctx context.Context, p peer) error {
		s, err := p.open(ctx, "Download", false, true)
		if err != nil {
			return err
		}
		if err := errors.Join(send(s, "count 100;error 4001 the reason"), s.CloseSend()); err != nil {
			return err
		}
		for i := 0; i < 100; i++ {
			got, err := recv(s)
			if err := errors.Join(err, same(got, strconv.Itoa(i))); err != nil {
				return err
			}
		}
		_, err = recv(s)
		return same(strings.Contains(fmt.Sprint(err), "the reason"), true)
	}},
	{"streams: metadata with the opening", func(ctx context.Context, p peer) error {
		s, err := p.open(ctx, "Download", false, true, client.WithMetaData("tenant", []byte("blue")))
		if err != nil {
			return err
		}
		if err := errors.Join(send(s, "meta back there"), s.CloseSend()); err != nil {
			return err
		}
		got, err := recv(s)
		if err := errors.Join(err, same(got, "tenant=blue")); err != nil {
			return err
		}
		_, err = recv(s)
		// What comes with the end, tRPC-Go decodes into a message of its reading loop, which callers cannot reach.
		return same(err, io.EOF)
	}},
	{"streams: given up before, in the middle, and while the writer is blocked", func(ctx context.Context, p peer) error {
		for _, order := range []string{"", "count 100000", "sleep 300"} {
			inner, cancel := context.WithCancel(ctx)
			s, err := p.open(inner, "Download", true, true)
			if err != nil {
				cancel()
				return err
			}
			if order != "" {
				if err := send(s, order); err != nil {
					cancel()
					return err
				}
			}
			if strings.HasPrefix(order, "count") {
				if _, err := recv(s); err != nil {
					cancel()
					return err
				}
			}
			cancel()
		}
		got, err := p.unary(ctx, "Unary", "still there")
		return errors.Join(err, same(got, "still there"))
	}},
	{"bidi stream: ping-pong with empty and large messages", func(ctx context.Context, p peer) error {
		s, err := p.open(ctx, "Talk", true, true)
		if err != nil {
			return err
		}
		for _, text := range []string{"ping", "", strings.Repeat("x", 300_000), "pong"} {
			if err := send(s, text); err != nil {
				return err
			}
			got, err := recv(s)
			if err := errors.Join(err, same(len(got), len(text))); err != nil {
				return err
			}
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		_, err = recv(s)
		return same(err, io.EOF)
	}},
	{"bidi stream: both directions at once", func(ctx context.Context, p peer) error {
		return talk20k(ctx, p)
	}},
	{"bidi stream: ended by the server", func(ctx context.Context, p peer) error {
		s, err := p.open(ctx, "Talk", true, true)
		if err != nil {
			return err
		}
		if err := send(s, "done"); err != nil {
			return err
		}
		_, err = recv(s)
		return same(err, io.EOF)
	}},
	{"bidi stream: gzip, zlib, snappy block, lz4 frame", func(ctx context.Context, p peer) error {
		for _, compression := range interoperable {
			s, err := p.open(ctx, "Talk", true, true, client.WithCompressType(compression))
			if err != nil {
				return err
			}
			for _, text := range []string{strings.Repeat("long ", 1000), "", "short"} {
				if err := send(s, text); err != nil {
					return err
				}
				got, err := recv(s)
				if err := errors.Join(err, same(got, text)); err != nil {
					return fmt.Errorf("compression %d: %w", compression, err)
				}
			}
			if err := s.CloseSend(); err != nil {
				return err
			}
		}
		return nil
	}},
	{"streams: unknown method", func(ctx context.Context, p peer) error {
		_, err := p.open(ctx, "Missing", true, true)
		return same(strings.Contains(fmt.Sprint(err), "Missing"), true)
	}},
	{"streams: 1,000 at once with unary calls in between", func(ctx context.Context, p peer) error {
		return atOnce(1000, func(i int) error {
			s, err := p.open(ctx, "Talk", true, true)
			if err != nil {
				return err
			}
			for round := 0; round < 3; round++ {
				text := fmt.Sprintf("%d/%d", i, round)
				if err := send(s, text); err != nil {
					return err
				}
				got, err := recv(s)
				if err := errors.Join(err, same(got, text)); err != nil {
					return err
				}
			}
			if i%10 == 0 {
				if _, err := p.unary(ctx, "Unary", "in between"); err != nil {
					return err
				}
			}
			return s.CloseSend()
		})
	}},
}

func upload(ctx context.Context, p peer, messages []string, want string) error {
	s, err := p.open(ctx, "Upload", true, false)
	if err != nil {
		return err
	}
	for _, text := range messages {
		if err := send(s, text); err != nil {
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	got, err := recv(s)
	return errors.Join(err, same(got, want))
}

func download(ctx context.Context, p peer, count int, pause time.Duration) error {
	s, err := p.open(ctx, "Download", false, true)
	if err != nil {
		return err
	}
	if err := errors.Join(send(s, fmt.Sprintf("count %d", count)), s.CloseSend()); err != nil {
		return err
	}
	for i := 0; i < count; i++ {
		got, err := recv(s)
		if err := errors.Join(err, same(got, strconv.Itoa(i))); err != nil {
			return err
		}
		if pause > 0 && i%100 == 0 {
			time.Sleep(100 * pause)
		}
	}
	_, err = recv(s)
	return same(err, io.EOF)
}

func talk20k(ctx context.Context, p peer) error {
	s, err := p.open(ctx, "Talk", true, true)
	if err != nil {
		return err
	}
	const count = 20_000
	sent := make(chan error, 1)
	go func() {
		for i := 0; i < count; i++ {
			if err := send(s, strconv.Itoa(i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- s.CloseSend()
	}()
	for i := 0; i < count; i++ {
		got, err := recv(s)
		if err := errors.Join(err, same(got, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	_, err = recv(s)
	return errors.Join(<-sent, same(err, io.EOF))
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

// call runs all cells against a server, which pair names, prints one line each, and gives the exit code.
func call(address, pair string) int {
	failed := 0
	run := func(how string, p peer, cells []cell) {
		for _, c := range cells {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			done := make(chan error, 1)
			go func() { done <- c.run(ctx, p) }()
			var err error
			select {
			case err = <-done:
			case <-time.After(limit + time.Second):
				err = errors.New("it hangs")
			}
			cancel()
			if err != nil {
				failed++
				fmt.Printf("FAIL  %s, %s | %s: %v\n", pair, how, c.name, err)
			} else {
				fmt.Printf("ok    %s, %s | %s\n", pair, how, c.name)
			}
		}
	}
	run("pooled", peer{address: address}, unaryCells)
	run("multiplexed", peer{address: address, options: []client.Option{client.WithMultiplexed(true)}}, unaryCells)
	run("streams", peer{address: address}, streamCells)
	if failed > 0 {
		return 1
	}
	return 0
}
