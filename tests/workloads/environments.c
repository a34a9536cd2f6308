/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executes a program that does not exist with environments of argv[1], argv[2], ... variables, each in an array that ends
 * where a page ends, after which is no memory. A minus before a number: without the null pointer at the end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 5

int main(int argc, char **argv)
{
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(0, (PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || munmap(memory + PAGES * page, page))
		return 1;
	char **end = (char **)(memory + PAGES * page);
	for (int n = 1; n < argc; n++) {
		long count = strtol(argv[n], 0, 10);
		char **at = end;
		if (count >= 0)
			*--at = 0;
		for (long left = labs(count); left; left--)
			*--at = "NAME=value";
		execve("/does/not/exist", argv, at);
	}
	return 0;
}
