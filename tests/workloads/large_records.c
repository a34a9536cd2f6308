/* SPDX-License-Identifier: Apache-2.0 */
/* large_records N: calls pwritev N times on one CPU, to /dev/null at offset n, with 1 + n % 20 elements of
 * 1 + 37 * n % 5000 bytes: letters, 'a' in the first element, 'b' in the next. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

static char letters[20][5000];

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_WRONLY);
	struct iovec elements[20];
	cpu_set_t first;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof first, &first);
	for (int k = 0; k < 20; k++)
		memset(letters[k], 'a' + k, sizeof letters[k]);
	for (int n = 0; n < atoi(argv[1]); n++) {
		for (int k = 0; k < 20; k++)
			elements[k] = (struct iovec){letters[k], 1 + 37 * n % 5000};
		pwritev(null, elements, 1 + n % 20, n);
	}
	return 0;
}
