/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installs a seccomp filter that answers mkdir and getppid by an action, and calls them. argv[1]: the action (errno,
 * errno-none, kill-process, kill-thread, kill-one-thread, trap, trace, notify-error, notify-value, strict), or moved: errno,
 * after a read on CPU 0 that returns on CPU 1, and on CPU 0 again; or cold: errno, with a path on a page that nothing has
 * touched. argv[2]: mkdir's path.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *path;

/* The kernel maps 64 KiB around an address that is touched. */
static const char cold[1 << 16] __attribute__((aligned(1 << 16))) = "/tmp/cold";

static int filter_mkdir(unsigned action, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof code / sizeof *code, code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

static void *make_directory(void *unused)
{
	syscall(SYS_mkdir, path, 0751);
	return unused;
}

static void *refuse_in_thread(void *unused)
{
	filter_mkdir(SECCOMP_RET_KILL_THREAD, 0);
	return make_directory(unused);
}

/* Whoever has the other end of standard input moves this thread. No call is made meanwhile. */
static void read_and_move(void)
{
	char byte;
	if (read(0, &byte, 1) == 1)
		while (sched_getcpu() != 1)
			;
	while (sched_getcpu() != 0)
		;
}

static void on_sigsys(int number)
{
	(void)number;
}

struct answer {
	int listener, error;
	long value;
};

static void *supervise(void *data)
{
	struct answer *answer = data;
	for (int n = 0; n < 2; n++) {
		struct seccomp_notif request;
		memset(&request, 0, sizeof request);
		if (ioctl(answer->listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
			return 0;
		struct seccomp_notif_resp response = {.id = request.id, .error = -answer->error, .val = answer->value};
		ioctl(answer->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
	return 0;
}

static int notify(int error, long value)
{
	struct answer answer = {filter_mkdir(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER), error, value};
	pthread_t thread;
	if (answer.listener < 0 || pthread_create(&thread, 0, supervise, &answer))
		return 1;
	make_directory(0);
	syscall(SYS_getppid);
	return pthread_join(thread, 0);
}

int main(int count, char **argv)
{
	char here[4096]; /* on the stack, a page that is there: nobody reads the path of a call that is refused */
	pthread_t thread;
	if (count != 3)
		return 2;
	path = strncpy(here, argv[2], sizeof here - 1);
	const char *how = argv[1];
	if (!strcmp(how, "kill-one-thread"))
		return pthread_create(&thread, 0, refuse_in_thread, 0) || pthread_join(thread, 0);
	if (!strcmp(how, "notify-error"))
		return notify(EACCES, 0);
	if (!strcmp(how, "notify-value"))
		return notify(0, 12);
	if (!strcmp(how, "strict")) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		make_directory(0);
	}
	signal(SIGSYS, strcmp(how, "trap") ? SIG_DFL : on_sigsys);
	if (!strcmp(how, "cold"))
		path = cold;
	unsigned action = !strcmp(how, "errno") || !strcmp(how, "moved") || path == cold ? SECCOMP_RET_ERRNO | EPERM
			  : !strcmp(how, "errno-none")                                   ? SECCOMP_RET_ERRNO
			  : !strcmp(how, "kill-process")                                 ? SECCOMP_RET_KILL_PROCESS
			  : !strcmp(how, "kill-thread")                                  ? SECCOMP_RET_KILL_THREAD
			  : !strcmp(how, "trap")                                         ? SECCOMP_RET_TRAP
											 : SECCOMP_RET_TRACE;
	if (filter_mkdir(action, 0))
		return 1;
	if (!strcmp(how, "moved"))
		read_and_move();
	make_directory(0);
	syscall(SYS_getppid);
	return 0;
}
