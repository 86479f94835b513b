package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime gives the processor time of this process and another, in user and system mode.
func processorTime(other int) (time.Duration, error) {
	var here, there unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &here); err != nil {
		return 0, err
	}
	if other != 0 {
		// The clock of a process, as clock_getcpuclockid makes it.
		if err := unix.ClockGettime(int32(^other<<3|2), &there); err != nil {
			return 0, err
		}
	}
	return time.Duration(here.Nano() + there.Nano()), nil
}
