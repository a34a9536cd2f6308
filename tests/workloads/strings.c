/* SPDX-License-Identifier: Apache-2.0 */
/* strings FILE: opens names, and writes buffers, in memory that is hard to read. FILE, an executable of no known
 * format, has names at byte 0, at byte 4096, and across byte 8192. None of these files exists. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *pages(size_t count)
{
	return mmap(0, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static char *cold(int fd, size_t offset)
{
	return mmap(0, 8192, PROT_READ, MAP_PRIVATE, fd, offset);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {0, 1, 255, 256, 257, 5000};
	int fd = open(argv[1], O_RDONLY), null = open("/dev/null", O_WRONLY), ends[2];
	char *long_string = pages(2), *edge = pages(2), *bad = (char *)8;

	lseek(-1, 0x5747, 0);                                       /* earlier calls are the loader's */
	for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) { /* open: lengths */
		memset(long_string, 'x', sizes[n]);
		long_string[sizes[n]] = 0;
		syscall(SYS_open, long_string, O_RDONLY);
		syscall(SYS_pwrite64, null, long_string, sizes[n], 0);
	}

	mprotect(edge + 4096, 4096, PROT_NONE);
	strcpy(edge + 4096 - 8, "/no/end"); /* creat: page ends */
	syscall(SYS_creat, edge + 4096 - 8, 0);
	memcpy(edge + 4096 - 7, "/across", 7);
	syscall(SYS_creat, edge + 4096 - 7, 0);
	syscall(SYS_creat, edge + 4096, 0);
	syscall(SYS_creat, bad, 0);
	syscall(SYS_creat, NULL, 0);

	syscall(SYS_access, cold(fd, 0), 0); /* access: cold pages */
	syscall(SYS_access, cold(fd, 4096), 0);
	syscall(SYS_access, cold(fd, 4096) + 4096 - 8, 0); /* begins on a page that is as cold as the next */
	char *half = cold(fd, 4096);
	mprotect(half + 4096, 4096, PROT_READ | PROT_WRITE); /* otherwise the kernel reads both pages at once */
	*(volatile char *)half;
	syscall(SYS_access, half + 4096 - 8, 0); /* begins on a page in memory */
	char *arguments[] = {cold(fd, 0), "two", cold(fd, 4096), 0};
	syscall(SYS_execve, cold(fd, 0), arguments, 0); /* execve: fails before it reads the arguments */
	syscall(SYS_execve, argv[1], arguments, 0);     /* and after */

	memset(edge, 'y', 4096); /* write: buffers */
	if (pipe(ends))
		return 1;
	syscall(SYS_write, ends[1], edge + 4096 - 100, 200);
	syscall(SYS_write, ends[1], edge, 8192);
	syscall(SYS_write, ends[1], edge + 4096, 4);
	syscall(SYS_write, ends[1], bad, 4);
	syscall(SYS_write, ends[1], NULL, 4);
	syscall(SYS_write, ends[1], edge, 0);
	syscall(SYS_write, argc + 100, edge, 3);
	syscall(SYS_pread64, fd, edge, 0, 0); /* pread64: output */
	syscall(SYS_pread64, fd, edge, 20, 0);
	syscall(SYS_pread64, fd, edge, 300, 0);
	syscall(SYS_pread64, fd, bad, 20, 0);
	return 0;
}
