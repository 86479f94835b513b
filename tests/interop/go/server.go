package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"trpc.group/trpc-go/trpc-go/server"
	"trpc.group/trpc-go/trpc-go/stream"
	pb "trpc.group/trpc-go/trpc-go/testdata/trpc/helloworld"
)

const service = "test.all.Everything"

func serve(address string) {
	s := server.New(
		server.WithServiceName(service),
		server.WithAddress(address),
		server.WithNetwork("tcp"),
		server.WithProtocol("trpc"),
	)
	// One listener for both services: methods are found by their full names.
	err := s.Register(&description, struct{}{})
	if err == nil {
		err = s.Register(&shapesDescription, struct{}{})
	}
	if err == nil {
		servers := &server.Server{}
		servers.AddService(service, s)
		err = servers.Serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var dispatcher = stream.NewStreamDispatcher()

var description = server.ServiceDesc{
	ServiceName:  service,
	HandlerType:  (*interface{})(nil),
	StreamHandle: dispatcher,
	Methods: []server.Method{
		{Name: "/" + service + "/Unary", Func: serveUnary},
		{Name: "/" + service + "/Notify", Func: serveNotify},
	},
	Streams: []server.StreamDesc{
		{StreamName: "/" + service + "/Upload", Handler: serveUpload, ClientStreams: true},
		{StreamName: "/" + service + "/Download", Handler: serveDownload, ServerStreams: true},
		{StreamName: "/" + service + "/Talk", Handler: serveTalk, ClientStreams: true, ServerStreams: true},
	},
}

func serveUnary(_ interface{}, ctx context.Context, f server.FilterFunc) (interface{}, error) {
	req := &pb.HelloRequest{}
	if _, err := f(req); err != nil {
		return nil, err
	}
	if req.Msg == "wait" {
		defer handler("unary")()
	}
	answer, err := obey(ctx, req.Msg)
	if err != nil {
		return nil, err
	}
	return &pb.HelloReply{Msg: answer}, nil
}

func serveNotify(_ interface{}, ctx context.Context, f server.FilterFunc) (interface{}, error) {
	req := &pb.HelloRequest{}
	if _, err := f(req); err != nil {
		return nil, err
	}
	answer, err := obey(ctx, req.Msg)
	told.Lock()
	defer told.Unlock()
	if told.text = answer; err != nil {
		told.text = reason(err)
	}
	return &pb.HelloReply{}, err
}

func serveUpload(_ interface{}, s server.Stream) error {
	defer handler("upload")()
	count, size, pace := 0, 0, pace{}
	for {
		order, err := next(s)
		if err == io.EOF || (err == nil && order == "done") {
			return s.SendMsg(&pb.HelloReply{Msg: fmt.Sprintf("%d messages, %d bytes", count, size)})
		}
		if err != nil {
			return err
		}
		if pace.keep(); pace.isSetBy(order) {
			continue
		}
		if _, err := obey(s.Context(), order); err != nil {
			return err
		}
		count++
		size += len(order)
	}
}

func serveDownload(_ interface{}, s server.Stream) error {
	defer handler("download")()
	orders, err := next(s)
	if err != nil {
		return err
	}
	for _, order := range strings.Split(orders, ";") {
		var err error
		words := strings.Split(order, " ")
		switch {
		case words[0] == "count":
			err = repeat(words[1], func(i int) error { return answer(s, strconv.Itoa(i)) })
		case words[0] == "fill":
			size, _ := strconv.Atoi(words[2])
			filler := strings.Repeat("x", size)
			err = repeat(words[1], func(int) error { return answer(s, filler) })
		default:
			var text string
			if text, err = obey(s.Context(), order); err == nil {
				err = answer(s, text)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func serveTalk(_ interface{}, s server.Stream) error {
	defer handler("talk")()
	pace := pace{}
	for {
		order, err := next(s)
		if err == io.EOF || (err == nil && order == "done") {
			return nil
		}
		if err != nil {
			return err
		}
		if pace.keep(); pace.isSetBy(order) {
			continue
		}
		text, err := obey(s.Context(), order)
		if err == nil {
			err = answer(s, text)
		}
		if err != nil {
			return err
		}
	}
}

// next takes a text from a stream.
func next(s server.Stream) (string, error) {
	req := &pb.HelloRequest{}
	err := s.RecvMsg(req)
	return req.Msg, err
}

// answer writes a text to a stream, and counts it.
func answer(s server.Stream, text string) error {
	message := &pb.HelloReply{Msg: text}
	err := s.SendMsg(message)
	if err == nil {
		written.Add(int64(proto.Size(message)))
	}
	return err
}

func repeat(count string, run func(i int) error) error {
	number, err := strconv.Atoi(count)
	for i := 0; i < number && err == nil; i++ {
		err = run(i)
	}
	return err
}
