/* SPDX-License-Identifier: Apache-2.0 */
/* An instance of io_uring by its system calls alone: requests are put into its queue and completions taken, one by one. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_IO_URING 77

struct uring {
	int fd;
	struct io_uring_params params;
	char *ring;
	struct io_uring_sqe *sqes;
	unsigned put, submitted;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct uring set_up(unsigned entries, unsigned flags)
{
	struct uring it;
	memset(&it, 0, sizeof it);
	it.params.flags = flags;
	it.params.sq_thread_idle = 2000;
	it.fd = syscall(SYS_io_uring_setup, entries, &it.params);
	if (it.fd < 0) {
		perror("io_uring_setup");
		exit(errno == ENOSYS || errno == EPERM ? NO_IO_URING : 1);
	}
	if (!(it.params.features & IORING_FEAT_SINGLE_MMAP))
		exit(NO_IO_URING);
	size_t size = it.params.sq_off.array + it.params.sq_entries * sizeof(uint32_t);
	size_t completions = it.params.cq_off.cqes + it.params.cq_entries * sizeof(struct io_uring_cqe);
	if (size < completions)
		size = completions;
	it.ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, it.fd, IORING_OFF_SQ_RING);
	it.sqes = mmap(NULL, it.params.sq_entries * sizeof *it.sqes, PROT_READ | PROT_WRITE, MAP_SHARED, it.fd, IORING_OFF_SQES);
	if (it.ring == MAP_FAILED || it.sqes == MAP_FAILED)
		fail("mmap");
	return it;
}

static unsigned *at(struct uring *it, unsigned offset)
{
	return (unsigned *)(it->ring + offset);
}

/* The next entry of the queue, empty but for its opcode and user_data. */
static struct io_uring_sqe *next(struct uring *it, int opcode, uint64_t user_data)
{
	unsigned index = it->put++ & (it->params.sq_entries - 1);
	struct io_uring_sqe *sqe = &it->sqes[index];
	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = opcode;
	sqe->user_data = user_data;
	at(it, it->params.sq_off.array)[index] = index;
	return sqe;
}

/* Submits what was put since, and waits for so many completions. */
static void submit(struct uring *it, unsigned completions)
{
	unsigned count = it->put - it->submitted;
	__atomic_store_n(at(it, it->params.sq_off.tail), it->put, __ATOMIC_RELEASE);
	it->submitted = it->put;
	unsigned flags = completions ? IORING_ENTER_GETEVENTS : 0;
	if (it->params.flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	if (syscall(SYS_io_uring_enter, it->fd, count, completions, flags, NULL, 0) < 0)
		fail("io_uring_enter");
}

/* The next completion, which has come. */
static struct io_uring_cqe take(struct uring *it)
{
	unsigned *head = at(it, it->params.cq_off.head);
	while (__atomic_load_n(at(it, it->params.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		if (syscall(SYS_io_uring_enter, it->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			fail("io_uring_enter");
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(it->ring + it->params.cq_off.cqes);
	struct io_uring_cqe found = cqes[*head & (it->params.cq_entries - 1)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return found;
}

/* Submits the one request that was put, and returns its result. */
static int run(struct uring *it)
{
	submit(it, 1);
	return take(it).res;
}
