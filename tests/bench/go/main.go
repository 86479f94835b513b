// Command bench is the Go side of the comparison: a server or a client of grpc-go or tRPC-Go. The
// program trill-bench starts it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	// Both sides of every contender have two worker threads.
	runtime.GOMAXPROCS(2)
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: bench serve CONTENDER [--until-eof] | drive CONTENDER WORKLOAD"))
	}
	chosen, ok := contenders[os.Args[2]]
	if !ok {
		fail(fmt.Errorf("there is no contender %s", os.Args[2]))
	}
	switch os.Args[1] {
	case "serve":
		serve(chosen, os.Args[3:])
	case "drive":
		drive(chosen, os.Args[2], os.Args[3:])
	default:
		fail(fmt.Errorf("there is no command %s", os.Args[1]))
	}
}

// contender is one way to do the work.
type contender struct {
	// serve serves until it fails.
	serve func(net.Listener) error
	// connect opens one connection.
	connect func(address string) (conn, error)
}

var contenders = map[string]contender{
	"grpc-go": {serveGRPC, connectGRPC},
	"trpc-go": {serveTRPC, connectTRPC},
}

func serve(chosen contender, args []string) {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	untilEOF := flags.Bool("until-eof", false, "end when the input does")
	fail(flags.Parse(args))
	if *untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Printf("listening on %s\n", listener.Addr())
	// The output is not read any more, and a library may log there.
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	fail(err)
	fail(unix.Dup2(int(nowhere.Fd()), int(os.Stdout.Fd())))
	fail(chosen.serve(listener))
}

// row is what trill-bench reads. Figures that were not measured are absent.
type row struct {
	Workload  string   `json:"workload"`
	Contender string   `json:"contender"`
	Rate      *float64 `json:"rate,omitempty"`
	P50       *float64 `json:"p50_us,omitempty"`
	P99       *float64 `json:"p99_us,omitempty"`
	CPU       *float64 `json:"cpu_us_per_msg,omitempty"`
}

func drive(chosen contender, name string, args []string) {
	flags := flag.NewFlagSet("drive", flag.ExitOnError)
	row := row{Contender: name}
	address := flags.String("address", "", "where the server listens")
	workload := flags.String("workload", "", "W4")
	size := flags.Int("size", 32, "bytes of a payload")
	count := flags.Int("count", 1, "calls or streams at a time")
	seconds := flags.Float64("seconds", 2, "how long to measure")
	least := flags.Float64("least", 0, "how long a measurement must be to tell the rate")
	server := flags.Int("server", 0, "the server's process")
	flags.StringVar(&row.Workload, "name", "", "the name of the row")
	fail(flags.Parse(args))
	conn, err := chosen.connect(*address)
	fail(err)
	driver := driver{
		conn:    conn,
		payload: payload(*size),
		count:   *count,
		time:    time.Duration(*seconds * float64(time.Second)),
		least:   time.Duration(*least * float64(time.Second)),
		server:  *server,
	}
	fail(driver.run(*workload, &row))
	fail(json.NewEncoder(os.Stdout).Encode(row))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
