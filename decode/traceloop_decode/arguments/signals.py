# SPDX-License-Identifier: Apache-2.0
"""Calls on signals and time, and calls that wait for descriptors."""

from __future__ import annotations

TABLE = """
# waiting for files
poll                inout:pollfd[nfds] uint int
ppoll               inout:pollfd[nfds] uint inout:timeout_ns in:sigset[sigsetsize] size
select              int inout:fd_set[n] inout:fd_set[n] inout:fd_set[n] inout:timeout_us
pselect6            int inout:fd_set[n] inout:fd_set[n] inout:fd_set[n] inout:timeout_ns in:mask_and_size[1]
epoll_create        int
epoll_create1       epoll_create_flags
epoll_ctl           fd one_epoll_op fd in:epoll_change
epoll_wait          fd out:epoll_event[result] int int
epoll_pwait         fd out:epoll_event[result] int int in:sigset_late[sigsetsize] size
epoll_pwait2        fd out:epoll_event[result] int in:late_timespec in:sigset_late[sigsetsize] size
eventfd             uint
eventfd2            uint eventfd_flags

# signals
kill                int signal
tkill               int signal
tgkill              int int signal
pause
rt_sigaction        signal in:sigaction out:sigaction size
rt_sigprocmask      one_sigmask_how in:sigset[sigsetsize] out:sigset_out[sigsetsize] size
rt_sigreturn        in:saved_mask
rt_sigpending       out:sigset_out[sigsetsize] size
rt_sigsuspend       in:sigset[sigsetsize] size
rt_sigtimedwait     in:sigset[sigsetsize] out:siginfo in:timespec size
rt_sigqueueinfo     int signal in:siginfo
rt_tgsigqueueinfo   int int signal in:siginfo
pidfd_send_signal   fd signal in:siginfo hex32
signalfd            fd in:sigset[sizemask] size
signalfd4           fd in:sigset[sizemask] size signalfd_flags
sigaltstack         in:stack out:stack

# time
time                out:time_t
alarm               uint
nanosleep           in:timespec end:remaining
clock_nanosleep     one_clock_id timer_flags in:timespec end:remaining
clock_gettime       one_clock_id out:timespec
clock_getres        one_clock_id out:timespec
clock_settime       one_clock_id in:timespec
clock_adjtime       one_clock_id out:timex
adjtimex            out:timex
gettimeofday        out:timeval out:timezone
settimeofday        in:timeval in:timezone
getitimer           one_itimer_which out:itimerval
setitimer           one_itimer_which in:itimerval out:itimerval
timer_create        one_clock_id in:sigevent out:timer_id
timer_gettime       int out:itimerspec
timer_settime       int timer_flags in:itimerspec out:itimerspec
timer_getoverrun    int
timer_delete        int
timerfd_create      one_clock_id timerfd_flags
timerfd_gettime     fd out:itimerspec
timerfd_settime     fd timerfd_flags in:itimerspec out:itimerspec
sched_rr_get_interval int out:timespec
times               out:tms
"""

SIZES: dict[str, int] = {
    "saved_mask": 8,
    "epoll_change": 12,
    "epoll_event": 12,
    "fd_set": 0,  # its length counts bits
    "itimerspec": 32,
    "itimerval": 32,
    "late_timespec": 16,
    "mask_and_size": 16,
    "pollfd": 8,
    "remaining": 16,
    "sigaction": 32,
    "sigevent": 64,
    "siginfo": 128,
    "sigset": 1,
    "sigset_late": 1,
    "sigset_out": 1,
    "stack": 24,
    "time_t": 8,
    "timeout_ns": 16,
    "timeout_us": 16,
    "timer_id": 4,
    "timespec": 16,
    "timeval": 16,
    "timex": 208,
    "timezone": 8,
    "tms": 32,
}
