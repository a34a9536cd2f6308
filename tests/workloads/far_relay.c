/* SPDX-License-Identifier: Apache-2.0 */
/* far_relay SOCKET LOG: joins standard input and output with a socket, as `traceloopctl bridge` in a relay does, without
 * Python's start. It appends + to LOG when it begins, and - when it ends. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char greeting[] = "traceloop bridge 1\n";

/* Returns 0 at the end of the input. */
static int pass(int from, int to)
{
	char piece[1 << 16];
	ssize_t left = read(from, piece, sizeof(piece)), done = 0, count;

	if (left <= 0)
		return 0;
	for (; done < left; done += count) {
		count = write(to, piece + done, left - done);
		if (count < 0)
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int daemon = socket(AF_UNIX, SOCK_STREAM, 0), log;

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	log = open(argv[2], O_WRONLY | O_APPEND);
	if (connect(daemon, (struct sockaddr *)&address, sizeof(address)) || write(log, "+", 1) != 1 ||
	    write(1, greeting, sizeof(greeting) - 1) < 0)
		return 1;
	struct pollfd both[] = {{.fd = 0, .events = POLLIN}, {.fd = daemon, .events = POLLIN}};

	while (poll(both, 2, -1) > 0) {
		if (both[1].revents && !pass(daemon, 1))
			break;
		if (both[0].revents && !pass(0, daemon)) {
			shutdown(daemon, SHUT_WR);
			both[0].fd = -1;
		}
	}
	return write(log, "-", 1) != 1;
}
