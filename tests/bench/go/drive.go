package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bench/pb"
)

// conn is a connection of a contender.
type conn interface {
	// call sends a request, which comes back.
	call(request *pb.EchoMessage) (*pb.EchoMessage, error)
	// download asks for as many messages as the request says, each with its payload.
	download(request *pb.EchoMessage) (stream, error)
	// upload sends so many messages, and gives the answer: how many came.
	upload(count uint64, payload []byte) (*pb.EchoMessage, error)
	// talk opens a stream that echoes.
	talk() (stream, error)
}

// stream is a stream of messages both ways. A download is only read.
type stream interface {
	send(*pb.EchoMessage) error
	// finish ends the sending direction.
	finish() error
	// recv gives io.EOF at the end.
	recv() (*pb.EchoMessage, error)
}

// echo sends everything back until the end.
func echo(recv func() (*pb.EchoMessage, error), send func(*pb.EchoMessage) error) error {
	for {
		message, err := recv()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = send(message)
		}
		if err != nil {
			return err
		}
	}
}

// driver does the client's part, with the loops and checks of the comparison's other side.
type driver struct {
	conn    conn
	payload []byte
	// count is the number of calls or streams at a time.
	count int
	time  time.Duration
	// least is the shortest run that tells the rate.
	least time.Duration
	// server is the process whose time is counted, or 0.
	server int
}

func (d driver) run(workload string, row *row) error {
	switch workload {
	case "W1":
		return d.measure(row, 1, d.calls)
	case "W2":
		return d.measure(row, 1, d.callMany)
	case "W3":
		return d.measure(row, 1, d.pingPong)
	case "W4":
		return d.measure(row, 1, d.download)
	case "W5":
		return d.measure(row, 1, d.upload)
	case "W6":
		return d.measure(row, 1, d.talk)
	case "W7":
		return d.measure(row, d.count, d.talkMany)
	case "W10":
		return d.measure(row, d.count, d.churn)
	case "W12":
		return d.neighbour(row)
	}
	return fmt.Errorf("this contender takes no part in %s", workload)
}

func (d driver) message(seq uint64) *pb.EchoMessage {
	return &pb.EchoMessage{Payload: d.payload, Seq: seq}
}

func (d driver) calls(count uint64) ([]time.Duration, error) {
	times := make([]time.Duration, 0, count)
	for seq := range count {
		start := time.Now()
		answer, err := d.conn.call(d.message(seq))
		times = append(times, time.Since(start))
		if err == nil {
			err = check(answer, seq, d.payload)
		}
		if err != nil {
			return nil, err
		}
	}
	return times, nil
}

func (d driver) callMany(count uint64) ([]time.Duration, error) {
	return nil, d.atATime(func(first int) error {
		for seq := uint64(first); seq < count; seq += uint64(d.count) {
			answer, err := d.conn.call(d.message(seq))
			if err == nil {
				err = check(answer, seq, d.payload)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (d driver) pingPong(count uint64) ([]time.Duration, error) {
	s, err := d.conn.talk()
	if err != nil {
		return nil, err
	}
	times := make([]time.Duration, 0, count)
	for seq := range count {
		took, err := d.toAndFro(s, seq, d.payload)
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return times, end(s)
}

func (d driver) toAndFro(s stream, seq uint64, payload []byte) (time.Duration, error) {
	start := time.Now()
	if err := s.send(&pb.EchoMessage{Payload: payload, Seq: seq}); err != nil {
		return 0, err
	}
	answer, err := s.recv()
	took := time.Since(start)
	if err == nil {
		err = check(answer, seq, payload)
	}
	return took, err
}

// end ends a stream, on which nothing more may come.
func end(s stream) error {
	if err := s.finish(); err != nil {
		return err
	}
	if _, err := s.recv(); err != io.EOF {
		return errors.Join(errors.New("the stream has more than was sent"), err)
	}
	return nil
}

func (d driver) download(count uint64) ([]time.Duration, error) {
	s, err := d.conn.download(&pb.EchoMessage{Payload: d.payload, Seq: count})
	if err != nil {
		return nil, err
	}
	return nil, readAll(s, count, d.payload)
}

func (d driver) upload(count uint64) ([]time.Duration, error) {
	answer, err := d.conn.upload(count, d.payload)
	if err == nil && answer.Seq != count {
		err = fmt.Errorf("%d of %d messages came", answer.Seq, count)
	}
	return nil, err
}

func (d driver) talk(count uint64) ([]time.Duration, error) {
	s, err := d.conn.talk()
	if err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() { sent <- sendAll(s, count, d.payload) }()
	err = readAll(s, count, d.payload)
	return nil, errors.Join(err, <-sent)
}

func (d driver) talkMany(count uint64) ([]time.Duration, error) {
	return nil, d.atATime(func(int) error {
		_, err := d.talk(count)
		return err
	})
}

func (d driver) churn(count uint64) ([]time.Duration, error) {
	return nil, d.atATime(func(int) error {
		for seq := range count {
			s, err := d.conn.talk()
			if err == nil {
				_, err = d.toAndFro(s, seq, d.payload)
			}
			if err == nil {
				err = end(s)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// atATime does the work so many times at the same time.
func (d driver) atATime(work func(number int) error) error {
	errs := make([]error, d.count)
	var running sync.WaitGroup
	for number := range d.count {
		running.Go(func() { errs[number] = work(number) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// neighbour is a ping-pong of small messages beside a download of large ones. The rate is the
// download's.
func (d driver) neighbour(row *row) error {
	flood, err := d.conn.download(&pb.EchoMessage{Payload: d.payload, Seq: math.MaxUint64})
	if err != nil {
		return err
	}
	var flooded atomic.Uint64
	go func() {
		for seq := uint64(0); ; seq++ {
			message, err := flood.recv()
			fail(err)
			fail(check(message, seq, d.payload))
			flooded.Add(1)
		}
	}()
	s, err := d.conn.talk()
	if err != nil {
		return err
	}
	small, seq := payload(32), uint64(0)
	play := func(limit time.Duration) (times []time.Duration, err error) {
		for start := time.Now(); len(times) == 0 || time.Since(start) < limit; seq++ {
			took, err := d.toAndFro(s, seq, small)
			if err != nil {
				return nil, err
			}
			times = append(times, took)
		}
		return times, nil
	}
	if _, err := play(d.time / 4); err != nil {
		return err
	}
	start, before := time.Now(), flooded.Load()
	times, err := play(d.time)
	rate := float64(flooded.Load()-before) / time.Since(start).Seconds()
	row.Rate = &rate
	row.quantiles(times)
	return err
}

// warm is how many times as long as the warming up the measurement may take.
const warm = 6

// measure does the work shortly, and more and more of it, until it is known how much fills the
// time. Then it does that and measures. unit is how many pieces of work a round has.
func (d driver) measure(row *row, unit int, run func(count uint64) ([]time.Duration, error)) error {
	rounds := uint64(8)
	for {
		start := time.Now()
		if _, err := run(rounds); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
		elapsed := time.Since(start)
		fill := d.time.Seconds() / elapsed.Seconds()
		if fill <= warm && elapsed >= d.least {
			if d.least > 0 {
				fill = max(fill, 1)
			}
			rounds = max(uint64(float64(rounds)*fill), 1)
			break
		}
		rounds = uint64(float64(rounds) * min(max(1.2*fill/warm, 1.5), 16))
	}
	before, err := processorTime(d.server)
	if err != nil {
		return err
	}
	start := time.Now()
	times, err := run(rounds)
	if err != nil {
		return err
	}
	elapsed := time.Since(start)
	after, err := processorTime(d.server)
	if err != nil {
		return err
	}
	pieces := float64(rounds) * float64(unit)
	rate := pieces / elapsed.Seconds()
	row.Rate = &rate
	if d.server != 0 {
		cost := microseconds(after-before) / pieces
		row.CPU = &cost
	}
	row.quantiles(times)
	return nil
}

func (r *row) quantiles(times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(part float64) *float64 {
		time := microseconds(times[int(math.Round(float64(len(times)-1)*part))])
		return &time
	}
	r.P50, r.P99 = at(0.50), at(0.99)
}

func microseconds(duration time.Duration) float64 {
	return float64(duration) / float64(time.Microsecond)
}
