package main

import (
	"context"
	"errors"
	"net"
	"time"

	"trpc.group/trpc-go/trpc-go/client"
	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/log"
	"trpc.group/trpc-go/trpc-go/server"
	streams "trpc.group/trpc-go/trpc-go/stream"

	// The protocol registers itself.
	_ "trpc.group/trpc-go/trpc-go"

	"bench/pb"
)

const trpcService = "bench.Echoes"

var trpcDescription = server.ServiceDesc{
	ServiceName:  trpcService,
	HandlerType:  (*interface{})(nil),
	StreamHandle: streams.NewStreamDispatcher(),
	Methods: []server.Method{
		{Name: "/" + trpcService + "/Unary", Func: trpcUnary},
	},
	Streams: []server.StreamDesc{
		{StreamName: "/" + trpcService + "/Download", Handler: trpcDownload, ServerStreams: true},
		{StreamName: "/" + trpcService + "/Upload", Handler: trpcUpload, ClientStreams: true},
		{StreamName: "/" + trpcService + "/Talk", Handler: trpcTalk, ClientStreams: true, ServerStreams: true},
	},
}

func trpcUnary(_ interface{}, ctx context.Context, filter server.FilterFunc) (interface{}, error) {
	request := &pb.EchoMessage{}
	filters, err := filter(request)
	if err != nil || len(filters) == 0 {
		return request, err
	}
	return filters.Filter(ctx, request, func(_ context.Context, request interface{}) (interface{}, error) {
		return request, nil
	})
}

func trpcDownload(_ interface{}, s server.Stream) error {
	request := &pb.EchoMessage{}
	if err := s.RecvMsg(request); err != nil {
		return err
	}
	for seq := uint64(0); seq < request.Seq; seq++ {
		if err := s.SendMsg(&pb.EchoMessage{Payload: request.Payload, Seq: seq}); err != nil {
			return err
		}
	}
	return nil
}

func trpcUpload(_ interface{}, s server.Stream) error {
	answer, err := counted(receiving(s))
	if err != nil {
		return err
	}
	return s.SendMsg(answer)
}

func trpcTalk(_ interface{}, s server.Stream) error {
	return echo(receiving(s), func(message *pb.EchoMessage) error { return s.SendMsg(message) })
}

// receiving gives the messages of a stream of either side.
func receiving(s interface{ RecvMsg(any) error }) func() (*pb.EchoMessage, error) {
	return func() (*pb.EchoMessage, error) {
		message := &pb.EchoMessage{}
		err := s.RecvMsg(message)
		return message, err
	}
}

func serveTRPC(listener net.Listener) error {
	log.DefaultLogger.SetLevel("0", log.LevelFatal)
	service := server.New(
		server.WithServiceName(trpcService),
		server.WithListener(listener),
		server.WithAddress(listener.Addr().String()),
		server.WithNetwork("tcp"),
		server.WithProtocol("trpc"),
	)
	if err := service.Register(&trpcDescription, struct{}{}); err != nil {
		return err
	}
	return service.Serve()
}

type trpcClient struct {
	options []client.Option
}

func connectTRPC(address string) (conn, error) {
	log.DefaultLogger.SetLevel("0", log.LevelFatal)
	options := []client.Option{
		client.WithTarget("ip://" + address),
		client.WithProtocol("trpc"),
		client.WithTimeout(time.Minute),
		// All calls on one connection, as with the others.
		client.WithMultiplexed(true),
	}
	return trpcClient{options}, nil
}

func trpcMessage(method string) (context.Context, codec.Msg) {
	ctx, msg := codec.WithCloneMessage(context.Background())
	msg.WithClientRPCName("/" + trpcService + "/" + method)
	msg.WithCalleeServiceName(trpcService)
	msg.WithSerializationType(codec.SerializationTypePB)
	return ctx, msg
}

func (c trpcClient) call(request *pb.EchoMessage) (*pb.EchoMessage, error) {
	ctx, msg := trpcMessage("Unary")
	defer codec.PutBackMessage(msg)
	answer := &pb.EchoMessage{}
	return answer, client.DefaultClient.Invoke(ctx, request, answer, c.options...)
}

func (c trpcClient) open(method string, fromClient, fromServer bool) (trpcStream, error) {
	ctx, _ := trpcMessage(method)
	desc := &client.ClientStreamDesc{StreamName: method, ClientStreams: fromClient, ServerStreams: fromServer}
	s, err := streams.DefaultStreamClient.NewStream(ctx, desc, "/"+trpcService+"/"+method, c.options...)
	return trpcStream{s}, err
}

func (c trpcClient) download(request *pb.EchoMessage) (stream, error) {
	s, err := c.open("Download", false, true)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(s.send(request), s.finish())
}

func (c trpcClient) upload(count uint64, payload []byte) (*pb.EchoMessage, error) {
	s, err := c.open("Upload", true, false)
	if err != nil {
		return nil, err
	}
	if err := sendAll(s, count, payload); err != nil {
		return nil, err
	}
	// It sees that nothing follows.
	return s.recv()
}

func (c trpcClient) talk() (stream, error) {
	return c.open("Talk", true, true)
}

type trpcStream struct {
	client.ClientStream
}

func (s trpcStream) send(message *pb.EchoMessage) error { return s.SendMsg(message) }
func (s trpcStream) finish() error                      { return s.CloseSend() }
func (s trpcStream) recv() (*pb.EchoMessage, error)     { return receiving(s)() }
