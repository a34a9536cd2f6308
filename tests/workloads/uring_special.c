/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses io_uring in ways that only it has; argv[1] says which, argv[2] is a directory to work in. Ends with status 77 where
 * the kernel has no io_uring for it.
 */
#include "uring.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct uring ring;

static struct io_uring_sqe *open_request(const char *name, uint64_t user_data)
{
	struct io_uring_sqe *sqe = next(&ring, IORING_OP_OPENAT, user_data);
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)name;
	sqe->open_flags = O_RDONLY;
	return sqe;
}

/* A chain whose second link fails: the third is cancelled. */
static void linked(void)
{
	next(&ring, IORING_OP_NOP, 1)->flags = IOSQE_IO_LINK;
	open_request("missing", 2)->flags = IOSQE_IO_LINK;
	open_request("/etc/passwd", 3);
	submit(&ring, 3);
	for (int n = 0; n < 3; n++) {
		struct io_uring_cqe cqe = take(&ring);
		printf("%d %d\n", (int)cqe.user_data, cqe.res);
	}
}

/* Waits for what never comes, and says so. */
static void pending(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		fail("socketpair");
	static char buffer[16];
	struct io_uring_sqe *sqe = next(&ring, IORING_OP_RECV, 7);
	sqe->fd = ends[0];
	sqe->addr = (uintptr_t)buffer;
	sqe->len = sizeof buffer;
	submit(&ring, 0);
	puts("pending");
	pause();
}

/* One request, three completions, the last of which ends it. */
static void multishot(void)
{
	int ends[2];
	if (pipe(ends))
		fail("pipe");
	struct io_uring_sqe *sqe = next(&ring, IORING_OP_POLL_ADD, 9);
	sqe->fd = ends[0];
	sqe->len = IORING_POLL_ADD_MULTI;
	sqe->poll32_events = POLLIN;
	submit(&ring, 0);
	for (int n = 0; n < 2; n++) {
		if (write(ends[1], "x", 1) != 1)
			fail("write");
		struct io_uring_cqe cqe = take(&ring);
		printf("%d %d\n", cqe.res, !!(cqe.flags & IORING_CQE_F_MORE));
	}
	next(&ring, IORING_OP_POLL_REMOVE, 10)->addr = 9;
	submit(&ring, 2);
	take(&ring), take(&ring);
}

/* Direct descriptors: opens one, reads from it, closes it. */
static void direct(void)
{
	int none[4] = {-1, -1, -1, -1};
	static char buffer[4];
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, none, 4) < 0)
		fail("IORING_REGISTER_FILES");
	open_request("/etc/passwd", 1)->file_index = 2 + 1;
	printf("%d\n", run(&ring));
	struct io_uring_sqe *sqe = next(&ring, IORING_OP_READ, 2);
	sqe->fd = 2;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->addr = (uintptr_t)buffer;
	sqe->len = sizeof buffer;
	printf("%d\n", run(&ring));
	next(&ring, IORING_OP_CLOSE, 3)->file_index = 2 + 1;
	printf("%d\n", run(&ring));
}

/* Asks for no completion where all goes well. */
static void silent(void)
{
	open_request("/etc/passwd", 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	open_request("missing", 2)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(&ring, 1);
	printf("%d\n", take(&ring).res);
}

static void secrets(void)
{
	int ends[2];
	if (pipe(ends))
		fail("pipe");
	open_request("password=hunter2", 1);
	run(&ring);
	struct io_uring_sqe *sqe = next(&ring, IORING_OP_WRITE, 2);
	sqe->fd = ends[1];
	sqe->addr = (uintptr_t) "token: tr0ub4dor";
	sqe->len = 16;
	run(&ring);
}

/*
 * Another thread changes the queue's entry all the while, to a path that exists and one that does not. What the kernel
 * opened is told by its result.
 */
static struct io_uring_sqe *volatile target;

static void *change(void *nothing)
{
	(void)nothing;
	for (;;) {
		struct io_uring_sqe *sqe = target;
		if (sqe) {
			__atomic_store_n(&sqe->addr, (uintptr_t) "/etc/passwd", __ATOMIC_RELAXED);
			__atomic_store_n(&sqe->addr, (uintptr_t) "missing", __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void forged(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, change, NULL))
		fail("pthread_create");
	int opened = 0, missing = 0;
	for (int n = 0; n < 20000 && (opened < 50 || missing < 50); n++) {
		target = open_request("missing", n);
		int fd = run(&ring);
		target = NULL;
		opened += fd >= 0;
		missing += fd < 0;
		if (fd >= 0)
			close(fd);
		if (n % 50 == 0)
			usleep(500); /* for the other thread to get a processor */
	}
	printf("%d %d\n", opened, missing);
}

/* A child's own memory is not what a request of its parent's speaks of: both wait for the instance that they share. */
static void shared(void)
{
	int ends[2];
	if (pipe(ends))
		fail("pipe");
	pid_t child = fork();
	if (child == 0) {
		struct io_uring_sqe *sqe = next(&ring, IORING_OP_NOP, 5);
		(void)sqe;
		exit(run(&ring) != 0);
	}
	int status;
	if (waitpid(child, &status, 0) != child || status)
		fail("child");
}

/* More completions than the queue has room for, which are taken at last. */
static void overflow(void)
{
	for (int round = 0; round < 4; round++) {
		for (int n = 0; n < 8; n++)
			next(&ring, IORING_OP_NOP, 8 * round + n);
		submit(&ring, 0);
	}
	for (int n = 0; n < 32; n++)
		printf("%d\n", (int)take(&ring).user_data);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {
		{"linked", linked}, {"pending", pending}, {"multishot", multishot},
		{"direct", direct}, {"silent", silent},   {"secrets", secrets},
		{"forged", forged}, {"shared", shared},   {"overflow", overflow},
	};
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || chdir(argv[2]))
		fail("chdir");
	ring = set_up(8, 0);
	for (unsigned n = 0; n < sizeof ways / sizeof *ways; n++)
		if (!strcmp(ways[n].name, argv[1])) {
			ways[n].run();
			return 0;
		}
	return 1;
}
