/* SPDX-License-Identifier: Apache-2.0 */
/* Sets up argv[1] instances of io_uring, and unlinks argv[2] by a request in the last, without a system call of that
 * name. Exits with 77 if the kernel does not let it use io_uring. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct io_uring_params params;
	int fd = -1;
	for (int n = 0; n < atoi(argv[1]); n++) {
		memset(&params, 0, sizeof params);
		fd = syscall(SYS_io_uring_setup, 4, &params);
		if (fd < 0)
			return errno == ENOSYS || errno == EPERM ? 77 : 1;
	}
	if (argc < 3)
		return 0;
	size_t size = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
	char *ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	struct io_uring_sqe *request = mmap(NULL, sizeof *request, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					    IORING_OFF_SQES);
	memset(request, 0, sizeof *request);
	request->opcode = IORING_OP_UNLINKAT;
	request->fd = AT_FDCWD;
	request->addr = (uintptr_t)argv[2];
	*(uint32_t *)(ring + params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(ring + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1;
}
