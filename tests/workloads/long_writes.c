/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes and names that are longer than an item, all on one CPU. long_writes N: N times, n counting up, of the text in which
 * byte k is 'a' + k % 23, 1 + 37 * n % 5000 bytes to descriptor 2, then to descriptor 1, then by writev in two halves to
 * descriptor 2; and opens a name of 1 + 37 * n % 5000 bytes of that text, which does not exist.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static char text[5001];

int main(int argc, char **argv)
{
	cpu_set_t first;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof first, &first);
	for (size_t k = 0; k < sizeof text; k++)
		text[k] = 'a' + k % 23;
	if (argc != 2)
		return 2;
	for (int n = 0; n < atoi(argv[1]); n++) {
		size_t size = 1 + 37 * n % 5000, half = size / 2;
		struct iovec halves[] = {{text, half}, {text + half, size - half}};
		if (write(2, text, size) != (ssize_t)size || write(1, text, size) != (ssize_t)size ||
		    writev(2, halves, 2) != (ssize_t)size)
			return 1;
		text[size] = 0;
		open(text, O_RDONLY);
		text[size] = 'a' + size % 23;
	}
	return 0;
}
