# SPDX-License-Identifier: Apache-2.0
"""Signals, time, and waiting for descriptors."""

from __future__ import annotations

from flag_tables import Table

TABLES = {
    # signals
    "sigmask_how": Table("SIG_???", "asm/signal.h", "SIG_BLOCK SIG_UNBLOCK SIG_SETMASK"),
    "sa_flags": Table(
        "SA_???",
        "asm/signal.h",
        "SA_RESTORER SA_ONSTACK SA_RESTART SA_INTERRUPT=0x20000000 SA_NODEFER SA_RESETHAND SA_SIGINFO SA_NOCLDSTOP "
        "SA_NOCLDWAIT SA_UNSUPPORTED SA_EXPOSE_TAGBITS",
    ),
    "sigaltstack_flags": Table("SS_???", "linux/signal.h", "SS_ONSTACK SS_DISABLE SS_AUTODISARM"),
    "signalfd_flags": Table("SFD_???", "linux/signalfd.h", "SFD_CLOEXEC SFD_NONBLOCK"),
    "sigev_notify": Table("SIGEV_???", "asm-generic/siginfo.h", match=r"SIGEV_(SIGNAL|NONE|THREAD|THREAD_ID)"),
    # si_code: common values, then those of single signals
    "si_code": Table(
        "SI_???",
        "asm-generic/siginfo.h",
        match=r"SI_(USER|KERNEL|QUEUE|TIMER|MESGQ|ASYNCIO|SIGIO|TKILL|DETHREAD|ASYNCNL)",
        signed=True,
    ),
    "sigill_code": Table("ILL_???", "asm-generic/siginfo.h", match=r"ILL_\w+"),
    "sigfpe_code": Table("FPE_???", "asm-generic/siginfo.h", "FPE_INTDIV", r"FPE_[A-Z]\w+"),
    "sigsegv_code": Table("SEGV_???", "asm-generic/siginfo.h", match=r"SEGV_\w+"),
    "sigbus_code": Table("BUS_???", "asm-generic/siginfo.h", match=r"BUS_\w+"),
    "sigtrap_code": Table("TRAP_???", "asm-generic/siginfo.h", match=r"TRAP_\w+", without=r"TRAP_PERF_\w+"),
    "sigchld_code": Table("CLD_???", "asm-generic/siginfo.h", match=r"CLD_\w+"),
    "sigpoll_code": Table("POLL_???", "asm-generic/siginfo.h", match=r"POLL_(IN|OUT|MSG|ERR|PRI|HUP)"),
    "sigsys_code": Table("SYS_???", "asm-generic/siginfo.h", match=r"SYS_(SECCOMP|USER_DISPATCH)"),
    "audit_arch": Table("AUDIT_ARCH_???", "linux/audit.h", match=r"AUDIT_ARCH_[A-Z]\w+"),
    # time
    "clock_id": Table("CLOCK_???", "linux/time.h", match=r"CLOCK_\w+", without="CLOCK_AUX_LAST"),
    "timer_flags": Table("TIMER_???", "linux/time.h", "TIMER_ABSTIME"),
    "itimer_which": Table("ITIMER_???", "linux/time.h", match=r"ITIMER_\w+"),
    "timerfd_flags": Table(
        "TFD_???", "linux/timerfd.h", "TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET TFD_CLOEXEC TFD_NONBLOCK"
    ),
    "adjtimex_modes": Table(
        "ADJ_???",
        "linux/timex.h",
        "ADJ_OFFSET_SS_READ ADJ_OFFSET_SINGLESHOT ADJ_OFFSET ADJ_FREQUENCY ADJ_MAXERROR ADJ_ESTERROR ADJ_STATUS "
        "ADJ_TIMECONST ADJ_TAI ADJ_SETOFFSET ADJ_MICRO ADJ_NANO ADJ_TICK",
    ),
    "adjtimex_status": Table("STA_???", "linux/timex.h", match=r"STA_\w+", without="STA_RONLY"),
    "adjtimex_state": Table("TIME_???", "linux/timex.h", match=r"TIME_(OK|INS|DEL|OOP|WAIT|ERROR)"),
    # waiting
    "poll_events": Table("POLL???", "asm-generic/poll.h", match=r"POLL[A-Z]+|POLL_BUSY_LOOP", without="POLLFREE"),
    "epoll_events": Table(
        "EPOLL???",
        "linux/eventpoll.h",
        "EPOLLIN EPOLLPRI EPOLLOUT EPOLLERR EPOLLHUP EPOLLNVAL EPOLLRDNORM EPOLLRDBAND EPOLLWRNORM EPOLLWRBAND "
        "EPOLLMSG EPOLLRDHUP EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET",
    ),
    "epoll_op": Table("EPOLL_CTL_???", "linux/eventpoll.h", match=r"EPOLL_CTL_\w+"),
    "epoll_create_flags": Table("EPOLL_???", "linux/eventpoll.h", "EPOLL_CLOEXEC"),
    "eventfd_flags": Table("EFD_???", "linux/eventfd.h", "EFD_SEMAPHORE EFD_CLOEXEC EFD_NONBLOCK"),
}
