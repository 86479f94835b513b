package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trpc.group/trpc-go/trpc-go/codec"
	"trpc.group/trpc-go/trpc-go/errs"
	"trpc.group/trpc-go/trpc-go/server"
)

var (
	// resume lets a handler go on that waits.
	resume = make(chan struct{}, 1)
	// written counts the bytes of messages that streams have written.
	written atomic.Int64
	// told is the last one-way message, as it was obeyed.
	told struct {
		sync.Mutex
		text string
	}
)

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
	case "wait":
		<-resume
		return "resumed", nil
	case "resume":
		select {
		case resume <- struct{}{}:
		default:
		}
	case "written":
		return strconv.FormatInt(written.Load(), 10), nil
	case "running":
		return running.String(), nil
	case "told":
		told.Lock()
		defer told.Unlock()
		return told.text, nil
	case "left":
		if deadline, ok := ctx.Deadline(); ok {
			return strconv.FormatInt(time.Until(deadline).Milliseconds(), 10), nil
		}
		return "for ever", nil
	case "large":
		return strings.Repeat("x", number), nil
	case "need":
		if got := string(codec.Message(ctx).ServerMetaData()[word(1)]); got != word(2) {
			return "", errs.New(4404, "it is "+got)
		}
		return "as needed", nil
	case "attach":
		attachment := server.GetAttachment(codec.Message(ctx))
		beside, err := io.ReadAll(attachment.Request())
		attachment.SetResponse(bytes.NewReader(beside))
		return fmt.Sprintf("%d bytes", len(beside)), err
	case "meta":
		return exchangeMetadata(codec.Message(ctx), word(1), word(2)), nil
	}
	return order, nil
}

// exchangeMetadata sends a value back, and gives all that came.
func exchangeMetadata(msg codec.Msg, key, value string) string {
	var seen []string
	for key, value := range msg.ServerMetaData() {
		seen = append(seen, key+"="+string(value))
	}
	sort.Strings(seen)
	metadata := msg.ServerMetaData().Clone()
	if metadata == nil {
		metadata = codec.MetaData{}
	}
	metadata[key] = []byte(value)
	msg.WithServerMetaData(metadata)
	return strings.Join(seen, ",")
}

// pace sleeps now and then, so that a stream is read slowly.
type pace struct {
	pause    time.Duration
	messages int
}

// isSetBy says whether a message is the order to be slow.
func (p *pace) isSetBy(order string) bool {
	pause, ok := strings.CutPrefix(order, "pace ")
	if ok {
		number, _ := strconv.Atoi(pause)
		p.pause = time.Duration(number) * time.Millisecond
	}
	return ok
}

func (p *pace) keep() {
	p.messages++
	if p.pause > 0 && p.messages%100 == 0 {
		time.Sleep(p.pause)
	}
}

// reason is the text of an error, without its code.
func reason(err error) string {
	return errs.Msg(err)
}
