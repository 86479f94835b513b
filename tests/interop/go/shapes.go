package main

import (
	"context"
	"io"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"interop/shapes"

	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/server"
)

const shapesService = "test.shapes.Shapes"

var shapesDescription = server.ServiceDesc{
	ServiceName:  shapesService,
	HandlerType:  (*interface{})(nil),
	StreamHandle: dispatcher,
	Methods: []server.Method{
		{Name: "/" + shapesService + "/Sample", Func: serveSample},
		{Name: "/" + shapesService + "/Echo", Func: serveEcho},
	},
	Streams: []server.StreamDesc{
		{StreamName: "/" + shapesService + "/Talk", Handler: serveShapesTalk, ClientStreams: true, ServerStreams: true},
	},
}

func serveSample(_ interface{}, ctx context.Context, f server.FilterFunc) (interface{}, error) {
	which := &shapes.Which{}
	if _, err := f(which); err != nil {
		return nil, err
	}
	if shape := sample(which.Name); shape != nil {
		return shape, nil
	}
	return nil, errs.New(404, "no such sample")
}

func serveEcho(_ interface{}, ctx context.Context, f server.FilterFunc) (interface{}, error) {
	shape := &shapes.Shape{}
	_, err := f(shape)
	return shape, err
}

func serveShapesTalk(_ interface{}, s server.Stream) error {
	defer handler("shapes")()
	for {
		shape := &shapes.Shape{}
		err := s.RecvMsg(shape)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.SendMsg(shape)
		}
		if err != nil {
			return err
		}
	}
}

var samples = []string{"empty", "full", "lowest", "highest", "defaults set", "large", "nested choice", "unknown enum"}

// sample makes the sample of that name. trill/src/shapes.rs has the same.
func sample(name string) *shapes.Shape {
	switch name {
	case "empty":
		return &shapes.Shape{}
	case "full":
		return full()
	case "lowest":
		return lowest()
	case "highest":
		return highest()
	case "defaults set":
		// Present, though they are what absent ones read as.
		return &shapes.Shape{
			Inner:       &shapes.Inner{},
			Texts:       []string{""},
			Inners:      []*shapes.Inner{{}},
			Counts:      map[string]int64{"": 0},
			ByNumber:    map[int32]*shapes.Inner{0: {}},
			MaybeNumber: proto.Int32(0),
			MaybeText:   proto.String(""),
			MaybeYes:    proto.Bool(false),
			Choice:      &shapes.Shape_Number{Number: 0},
		}
	case "large":
		return large()
	case "nested choice":
		return &shapes.Shape{Choice: &shapes.Shape_Nested{Nested: nested(50)}}
	case "unknown enum":
		return &shapes.Shape{Colour: 77, Colours: []shapes.Colour{77, 0}}
	}
	return nil
}

func full() *shapes.Shape {
	return &shapes.Shape{
		Real:        0.1,
		SmallReal:   -2.5,
		I32:         -3,
		I64:         -4,
		U32:         5,
		U64:         6,
		S32:         -7,
		S64:         -8,
		F32:         9,
		F64:         10,
		Sf32:        -11,
		Sf64:        -12,
		Yes:         true,
		Text:        "grüße, 世界 \x00 end",
		Raw:         []byte{0, 255, 9, 48},
		Colour:      shapes.Colour_COLOUR_BLUE,
		Inner:       nested(2),
		Packed:      []int64{0, -1, 1, 300},
		Loose:       []int32{1, 0, -1},
		Texts:       []string{"one", "", "three"},
		Raws:        [][]byte{{}, {0}},
		Inners:      []*shapes.Inner{nested(0), nested(1)},
		Colours:     []shapes.Colour{shapes.Colour_COLOUR_RED, shapes.Colour_COLOUR_NONE, shapes.Colour_COLOUR_BELOW},
		Reals:       []float64{0.5, math.Inf(1), math.Inf(-1)},
		Counts:      map[string]int64{"one": 1, "": -1},
		ByNumber:    map[int32]*shapes.Inner{-1: nested(1), 7: nested(0)},
		ByTruth:     map[bool][]byte{true: []byte("yes"), false: {}},
		MaybeNumber: proto.Int32(-40),
		MaybeText:   proto.String("maybe"),
		MaybeYes:    proto.Bool(true),
		Choice:      &shapes.Shape_Name{Name: "chosen"},
		Far:         "far",
	}
}

func lowest() *shapes.Shape {
	return &shapes.Shape{
		Real:      -math.MaxFloat64,
		SmallReal: -math.MaxFloat32,
		I32:       math.MinInt32,
		I64:       math.MinInt64,
		S32:       math.MinInt32,
		S64:       math.MinInt64,
		Sf32:      math.MinInt32,
		Sf64:      math.MinInt64,
		Packed:    []int64{math.MinInt64, math.MinInt64, math.MinInt64},
		Loose:     []int32{math.MinInt32},
		ByNumber:  map[int32]*shapes.Inner{math.MinInt32: {}},
		Choice:    &shapes.Shape_Shade{Shade: shapes.Colour_COLOUR_BELOW},
	}
}

func highest() *shapes.Shape {
	return &shapes.Shape{
		Real:      math.MaxFloat64,
		SmallReal: math.MaxFloat32,
		I32:       math.MaxInt32,
		I64:       math.MaxInt64,
		U32:       math.MaxUint32,
		U64:       math.MaxUint64,
		S32:       math.MaxInt32,
		S64:       math.MaxInt64,
		F32:       math.MaxUint32,
		F64:       math.MaxUint64,
		Sf32:      math.MaxInt32,
		Sf64:      math.MaxInt64,
		Packed:    []int64{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		Loose:     []int32{math.MaxInt32},
		ByNumber:  map[int32]*shapes.Inner{math.MaxInt32: {}},
		Choice:    &shapes.Shape_Number{Number: math.MaxUint64},
	}
}

func large() *shapes.Shape {
	shape := &shapes.Shape{Text: strings.Repeat("long ", 100_000), Raw: make([]byte, 500_000), Counts: map[string]int64{}}
	for i := range shape.Raw {
		shape.Raw[i] = byte(i)
	}
	for i := int64(-20_000); i < 20_000; i++ {
		shape.Packed = append(shape.Packed, i)
	}
	for i := 0; i < 5000; i++ {
		shape.Texts = append(shape.Texts, strconv.Itoa(i))
	}
	for i := int64(0); i < 2000; i++ {
		shape.Counts["key "+strconv.FormatInt(i, 10)] = -i
	}
	return shape
}

// nested makes a message in a message, so many times.
func nested(depth int) *shapes.Inner {
	inner := &shapes.Inner{Name: "innermost"}
	for level := 0; level < depth; level++ {
		inner = &shapes.Inner{Name: strconv.Itoa(level), Inner: inner, Many: []*shapes.Inner{{Name: "beside"}}}
	}
	return inner
}
