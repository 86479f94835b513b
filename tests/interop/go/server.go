package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/server"
	"trpc.group/trpc-go/trpc-go/stream"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
)

const service = "test.all.Everything"

// obey does what a message says, as the Rust test service does.
func obey(ctx context.Context, order string) (string, error) {
	words := strings.SplitN(order, " ", 3)
	word := func(at int) string {
		if at < len(words) {
			return words[at]
		}
		return ""
	}
	number, _ := strconv.Atoi(word(1))
	switch word(0) {
	case "error":
		return "", errs.New(number, word(2))
	case "fail":
		return "", errs.NewFrameError(number, word(2))
	case "sleep":
		time.Sleep(time.Duration(number) * time.Millisecond)
		return "slept", nil
	case "hang":
		<-ctx.Done()
		return "", ctx.Err()
	case "large":
		return strings.Repeat("x", number), nil
	case "attach":
		attachment := server.GetAttachment(codec.Message(ctx))
		beside, err := io.ReadAll(attachment.Request())
		attachment.SetResponse(bytes.NewReader(beside))
		return fmt.Sprintf("%d bytes", len(beside)), err
	case "meta":
		msg := codec.Message(ctx)
		var seen []string
		for key, value := range msg.ServerMetaData() {
			seen = append(seen, key+"="+string(value))
		}
		sort.Strings(seen)
		metadata := msg.ServerMetaData().Clone()
		if metadata == nil {
			metadata = codec.MetaData{}
		}
		metadata[word(1)] = []byte(word(2))
		msg.WithServerMetaData(metadata)
		return strings.Join(seen, ","), nil
	}
	return order, nil
}

type everything interface{}

func serveUnary(_ interface{}, ctx context.Context, f server.FilterFunc) (interface{}, error) {
	req := &pb.HelloRequest{}
	if _, err := f(req); err != nil {
		return nil, err
	}
	answer, err := obey(ctx, req.Msg)
	if err != nil {
		return nil, err
	}
	return &pb.HelloReply{Msg: answer}, nil
}

func serveUpload(_ interface{}, s server.Stream) error {
	count, size := 0, 0
	for {
		req := &pb.HelloRequest{}
		err := s.RecvMsg(req)
		if err == io.EOF || (err == nil && req.Msg == "done") {
			return s.SendMsg(&pb.HelloReply{Msg: fmt.Sprintf("%d messages, %d bytes", count, size)})
		}
		if err != nil {
			return err
		}
		if _, err := obey(s.Context(), req.Msg); err != nil {
			return err
		}
		count++
		size += len(req.Msg)
	}
}

func serveDownload(_ interface{}, s server.Stream) error {
	req := &pb.HelloRequest{}
	if err := s.RecvMsg(req); err != nil {
		return err
	}
	for _, order := range strings.Split(req.Msg, ";") {
		if count, ok := strings.CutPrefix(order, "count "); ok {
			number, _ := strconv.Atoi(count)
			for i := 0; i < number; i++ {
				if err := s.SendMsg(&pb.HelloReply{Msg: strconv.Itoa(i)}); err != nil {
					return err
				}
			}
			continue
		}
		answer, err := obey(s.Context(), order)
		if err != nil {
			return err
		}
		if err := s.SendMsg(&pb.HelloReply{Msg: answer}); err != nil {
			return err
		}
	}
	return nil
}

func serveTalk(_ interface{}, s server.Stream) error {
	for {
		req := &pb.HelloRequest{}
		err := s.RecvMsg(req)
		if err == io.EOF || (err == nil && req.Msg == "done") {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := obey(s.Context(), req.Msg)
		if err != nil {
			return err
		}
		if err := s.SendMsg(&pb.HelloReply{Msg: answer}); err != nil {
			return err
		}
	}
}

var description = server.ServiceDesc{
	ServiceName:  service,
	HandlerType:  (*everything)(nil),
	StreamHandle: stream.NewStreamDispatcher(),
	Methods: []server.Method{
		{Name: "/" + service + "/Unary", Func: serveUnary},
		{Name: "/" + service + "/Notify", Func: serveUnary},
	},
	Streams: []server.StreamDesc{
		{StreamName: "/" + service + "/Upload", Handler: serveUpload, ClientStreams: true},
		{StreamName: "/" + service + "/Download", Handler: serveDownload, ServerStreams: true},
		{StreamName: "/" + service + "/Talk", Handler: serveTalk, ClientStreams: true, ServerStreams: true},
	},
}

func serve(address string) {
	s := &server.Server{}
	s.AddService(service, server.New(
		server.WithServiceName(service),
		server.WithAddress(address),
		server.WithNetwork("tcp"),
		server.WithProtocol("trpc"),
	))
	if err := s.Register(&description, struct{}{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := s.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
