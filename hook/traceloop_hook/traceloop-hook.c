// SPDX-License-Identifier: Apache-2.0
/* Sends a container's OCI state to traceloopd, and never fails the container.

       traceloop-hook start|stop [--socket PATH] [--deadline SECONDS] [--wait]    the runtime writes the state to stdin
       traceloop-hook within SECONDS PROGRAM [WORD...]                     runs a helper of traceloop-runtime

   Theory of operation: the runtime waits for this program, twice a container, and a hook that fails or hangs would fail
   the container. Hence

   - it is linked statically: it needs no other file on the node, be it an interpreter, a library or a setting;
   - it reads stdin to its end first, since a runtime that cannot write the whole state may kill the container;
   - one alarm bounds the whole run, and the handler of every signal exits;
   - the exit status is always 0, and one line reports an error: on stderr, which runc discards if the status is 0, and
     in the system's log, unless the daemon has logged it already;
   - if a daemon ends before it has answered, the hook asks again: the next daemon takes over socket and containers;
   - where containers are recorded from their cgroups' births, as the file "births" beside the socket says, nothing
     depends on the answer: once the state is read, a child waits for it, and the container does not;
   - it parses nothing: the daemon does that, and gets the stage from here, because runtimes disagree about `status`;
   - it allocates nothing: the state has a static buffer, and what does not fit is read and discarded.

   Protocol: the stage and a newline, the unchanged state, end of file; the daemon answers "ok" or "error: reason". */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKET "/run/traceloop/hook.sock"
#define BIRTHS "births" // traceloop_daemon.system.sockets has the name, too
#define DEADLINE_S "2"
#define DEADLINE_MAX_S 60
#define STATE_MAX_BYTES (1 << 20) // one byte more is sent of a larger state, so that the daemon notices its size
#define ANSWER_MAX_BYTES 4096
#define ANSWER_SHOWN_BYTES 64 // shown of an answer that is not the daemon's
#define LINE_MAX_BYTES (ANSWER_MAX_BYTES + 1024)
#define AGAIN_NS 20000000
#define LAST_WORD_US 100000 // time to write the error line until the next alarm, in case even stderr hangs
#define USAGE "usage: traceloop-hook start|stop [--socket PATH] [--deadline SECONDS] [--wait]"

#define END ((const char *)NULL) // ends a list of texts

struct options {
	const char *stage, *socket, *deadline;
	bool waits;             // for the answer, also where births are recorded
	const char *mistake[3]; // parts of the error line; the first is NULL if the options are valid
	struct timeval alarm;
};

// Read by the signal handler.
static const char *volatile doing = "starting";
static const char *volatile where = ""; // the path concerned, if any
static const char *volatile advice = "";
static const char *volatile deadline = DEADLINE_S;
static volatile sig_atomic_t is_ending;
static volatile pid_t helper;
static bool has_stderr;

static const char *const STAGES[] = {"start\n", "stop\n"};
static unsigned char message[sizeof "start\n" - 1 + STATE_MAX_BYTES + 1]; // stage and state
static unsigned char *const state = message + sizeof "start\n" - 1;
static unsigned char excess[1 << 16];

// Appends a text to a line as far as there is room, with control characters replaced. A text that is too long is cut, so
// that there is room for the following texts.
static size_t append(char *line, size_t length, const char *text)
{
	for (size_t i = 0; text[i] && i < ANSWER_MAX_BYTES && length < LINE_MAX_BYTES - 1; i++) {
		unsigned char byte = (unsigned char)text[i];
		line[length++] = byte >= 0x80 ? '?' : byte < ' ' || byte == 0x7f ? ' ' : (char)byte;
	}
	return length;
}

static void to_syslog(const char *line, size_t length)
{
	static const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char priority[LINE_MAX_BYTES + 8] = "<28>"; // daemon, warning: RFC 3164
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(priority + 4, line, length);
	// Fails if no system log is running or its queue is full; stderr has the line too.
	(void)sendto(fd, priority, length + 4, MSG_NOSIGNAL, (const struct sockaddr *)&log, sizeof log);
	close(fd);
}

// Writes one line, made of texts up to END, to stderr, and if in_log to the system's log. Async-signal-safe.
static void say(bool in_log, ...)
{
	char line[LINE_MAX_BYTES];
	size_t length = append(line, 0, "traceloop-hook: ");
	const char *part;
	va_list parts;

	va_start(parts, in_log);
	while ((part = va_arg(parts, const char *)))
		length = append(line, length, part);
	va_end(parts);
	if (in_log)
		to_syslog(line, length);
	line[length++] = '\n';
	// Without a stderr, descriptor 2 may be the daemon's socket.
	if (has_stderr && write(STDERR_FILENO, line, length) < 0)
		return; // there is no other place to report it
}

static noreturn void fail(const char *what, const char *path, const char *why, const char *remedy)
{
	say(true, what, path, why, remedy, END);
	_exit(0);
}

// Says that this process, or another one, was ended by a signal. Async-signal-safe.
static void say_ended(const char *whom, int number)
{
	char digits[] = {(char)('0' + number / 10), (char)('0' + number % 10), 0};

	say(true, whom, "ended by signal ", digits, " while ", doing, where, END);
}

static void on_signal(int number)
{
	if (is_ending) // interrupted while writing the error line
		_exit(0);
	is_ending = 1;
	if (helper > 0)
		kill(helper, SIGKILL);
	if (number == SIGALRM)
		say(true, "gave up after ", deadline, " s while ", doing, where, advice, END);
	else
		say_ended("", number);
	_exit(0);
}

// Makes an alarm, and every other signal that would end or stop this process, exit with 0. Sets all dispositions and
// unblocks SIGALRM, since a runtime's ignored and blocked signals are inherited.
static void arm(struct timeval alarm)
{
	struct itimerval timer = {.it_value = alarm, .it_interval = {.tv_usec = LAST_WORD_US}};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	for (int number = 1; number <= SIGRTMAX; number++) {
		switch (number) {
		case SIGPIPE: // the write returns an error
		case SIGXFSZ:
		case SIGTSTP:
		case SIGTTIN:
		case SIGTTOU:
			sigaction(number, &ignore, NULL);
			break;
		case SIGCHLD: // ignored by default
		case SIGCONT:
		case SIGURG:
		case SIGWINCH:
		case SIGKILL: // cannot be caught
		case SIGSTOP:
			break;
		default:
			sigaction(number, &act, NULL);
		}
	}
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

// Parses seconds with or without a fraction, greater than 0 and at most DEADLINE_MAX_S.
static bool read_seconds(const char *word, struct timeval *value)
{
	long seconds = 0, fraction_us = 0, unit_us = 1000000;

	if (!*word || strspn(word, "0123456789.") != strlen(word))
		return false;
	for (; *word && *word != '.'; word++) {
		seconds = seconds * 10 + (*word - '0');
		if (seconds > DEADLINE_MAX_S)
			return false;
	}
	if (*word == '.')
		word++;
	for (; *word; word++) {
		if (*word == '.')
			return false;
		unit_us /= 10;
		fraction_us += (*word - '0') * unit_us;
	}
	*value = (struct timeval){.tv_sec = seconds, .tv_usec = fraction_us};
	return (seconds || fraction_us) && (seconds < DEADLINE_MAX_S || !fraction_us);
}

static struct options read_options(char **words)
{
	struct options options = {.socket = SOCKET, .deadline = DEADLINE_S};

	for (; *words; words++) {
		const char *word = *words;

		if (strcmp(word, "--socket") == 0 || strcmp(word, "--deadline") == 0) {
			const char **value = word[2] == 's' ? &options.socket : &options.deadline;

			*value = words[1] ? *++words : "";
		} else if (strcmp(word, "--wait") == 0) {
			options.waits = true;
		} else if (!options.stage && (strcmp(word, "start") == 0 || strcmp(word, "stop") == 0)) {
			options.stage = word;
		} else {
			options.mistake[0] = "unexpected argument '";
			options.mistake[1] = word;
			options.mistake[2] = "'; " USAGE;
			break;
		}
	}
	if (!options.mistake[0] &&
	    !(read_seconds(options.deadline, &options.alarm) && options.stage && *options.socket)) {
		options.mistake[0] = "wrong arguments; " USAGE;
		options.mistake[1] = options.mistake[2] = "";
	}
	if (options.mistake[0]) {
		options.deadline = DEADLINE_S;
		read_seconds(options.deadline, &options.alarm);
	}
	return options;
}

// Reads stdin to its end, and stores at most STATE_MAX_BYTES + 1 bytes in `state`. Returns the number stored.
static size_t read_state(void)
{
	const size_t room = STATE_MAX_BYTES + 1;
	size_t length = 0;
	ssize_t got;
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	doing = "reading the state from stdin, which the runtime keeps open";
	if (flags >= 0) // a runtime that polls its pipes may have made it non-blocking
		fcntl(STDIN_FILENO, F_SETFL, flags & ~O_NONBLOCK);
	while ((got = length < room ? read(STDIN_FILENO, state + length, room - length)
				    : read(STDIN_FILENO, excess, sizeof excess)) > 0)
		if (length < room)
			length += (size_t)got;
	if (got < 0)
		fail("cannot read the state from stdin: ", "", strerror(errno), "; run this as an OCI hook");
	return length;
}

// Returns whether the daemon is gone, or has closed its end: it may refuse a state before it has read all of it, and
// then its answer says why.
static bool is_shut(void)
{
	return errno == EPIPE || errno == ECONNRESET || errno == ECONNABORTED || errno == ENOTCONN;
}

// Sends the message, and stores the daemon's answer in `answer`, 0-terminated. Returns its length, 0 if there was none.
static size_t ask_daemon(const char *path, const unsigned char *bytes, size_t size, char answer[ANSWER_MAX_BYTES + 1])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = 0;
	ssize_t done;
	int fd;

	doing = "connecting to ";
	where = path;
	advice = "; see traceloopd's log";
	if (strlen(path) >= sizeof address.sun_path)
		fail("cannot connect to ", path, ": AF_UNIX path too long",
		     "; is traceloopd running there? (--socket)");
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		const char *why = strerror(errno);

		say(true, "cannot connect to ", path, ": ", why, "; is traceloopd running there? (--socket)", END);
		_exit(0);
	}
	doing = "sending the state to ";
	for (; size; bytes += done, size -= (size_t)done) {
		done = send(fd, bytes, size, MSG_NOSIGNAL);
		if (done < 0 && is_shut())
			break;
		if (done < 0)
			fail("cannot send the state to ", path, ": ", strerror(errno));
	}
	shutdown(fd, SHUT_WR);
	doing = "waiting for the answer of ";
	while (length < ANSWER_MAX_BYTES && (done = recv(fd, answer + length, ANSWER_MAX_BYTES - length, 0))) {
		if (done < 0 && is_shut())
			break;
		if (done < 0)
			fail("cannot read the answer of ", path, ": ", strerror(errno));
		length += (size_t)done;
	}
	close(fd);
	answer[length] = 0;
	return length;
}

// Returns whether the daemon at the socket records containers from their cgroups' births.
static bool records_births(const char *socket_path)
{
	char path[sizeof((struct sockaddr_un *)NULL)->sun_path + sizeof BIRTHS];
	const char *slash = strrchr(socket_path, '/');
	size_t length = slash ? (size_t)(slash - socket_path) + 1 : 0;

	if (length + sizeof BIRTHS > sizeof path)
		return false;
	memcpy(path, socket_path, length);
	memcpy(path + length, BIRTHS, sizeof BIRTHS);
	return access(path, F_OK) == 0;
}

// Ends this process, as far as the runtime can tell, and goes on in a child without its descriptors. If that cannot be
// made, the runtime waits.
static void leave_runtime(struct timeval alarm)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t child = null < 0 ? -1 : fork();

	if (child > 0)
		_exit(0);
	if (child < 0)
		return;
	// The runtime waits until nobody has its pipes.
	has_stderr = false;
	setsid();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	// So does whoever waits for the end of a descriptor that the runtime was given for the container, or unmounts.
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	if (chdir("/"))
		say(false, "/: ", strerror(errno), END);
	arm(alarm); // a child inherits no timer
}

// Quotes bytes as Python's repr() does.
static void quote(const char *bytes, size_t length, char quoted[4 * ANSWER_SHOWN_BYTES + 4])
{
	static const char HEX[] = "0123456789abcdef";
	char *at = quoted;

	*at++ = 'b';
	*at++ = '\'';
	for (size_t i = 0; i < length && i < ANSWER_SHOWN_BYTES; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		char named = byte == '\t' ? 't' : byte == '\n' ? 'n' : byte == '\r' ? 'r' : 0;

		if (byte == '\\' || byte == '\'')
			named = (char)byte;
		if (named) {
			*at++ = '\\';
			*at++ = named;
		} else if (byte >= ' ' && byte < 0x7f) {
			*at++ = (char)byte;
		} else {
			*at++ = '\\';
			*at++ = 'x';
			*at++ = HEX[byte >> 4];
			*at++ = HEX[byte & 15];
		}
	}
	*at++ = '\'';
	*at = 0;
}

static void report(const struct options *options)
{
	static const char BLANKS[] = " \t\r\n";
	static char answer[ANSWER_MAX_BYTES + 1];
	char quoted[4 * ANSWER_SHOWN_BYTES + 4];
	const char *head = STAGES[strcmp(options->stage, "stop") == 0];
	unsigned char *begin = state - strlen(head);
	size_t size = read_state() + strlen(head), length;

	memcpy(begin, head, strlen(head));
	if (!options->waits && records_births(options->socket))
		leave_runtime(options->alarm);
	while (!(length = ask_daemon(options->socket, begin, size, answer)))
		nanosleep(&(struct timespec){.tv_nsec = AGAIN_NS}, NULL);
	if (length == 3 && memcmp(answer, "ok\n", 3) == 0)
		return;
	if (strncmp(answer, "error: ", 7) == 0) {
		const char *reason = answer + 7 + strspn(answer + 7, BLANKS);

		for (; length && strchr(BLANKS, answer[length - 1]); length--)
			answer[length - 1] = 0;
		say(false, "traceloopd refused this ", options->stage, ": ", reason, END);
	} else {
		quote(answer, length, quoted);
		say(true, options->socket, " gave an answer that is not traceloopd's: ", quoted,
		    "; see its log and --socket", END);
	}
}

// Runs a program, and kills it after a time limit. Starts it by execv, since a shell or execvp would run a file of the
// wrong format as a shell script.
static void run_within(char **words)
{
	struct timeval alarm;
	int status = 0;

	if (!words[0] || !words[1] || !read_seconds(words[0], &alarm))
		fail("wrong arguments; usage: traceloop-hook within SECONDS PROGRAM [WORD...]", "", "", "");
	deadline = words[0];
	doing = "running ";
	where = words[1];
	arm(alarm);
	helper = fork();
	if (helper == 0) {
		execv(words[1], words + 1);
		fail("cannot run ", words[1], ": ", strerror(errno));
	}
	if (helper < 0)
		fail("cannot run ", words[1], ": ", strerror(errno));
	while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	helper = 0;
	if (WIFSIGNALED(status)) // it could not say so itself
		say_ended("the helper was ", WTERMSIG(status));
}

int main(int count, char **words)
{
	has_stderr = fcntl(STDERR_FILENO, F_GETFD) >= 0;
	if (count > 1 && strcmp(words[1], "within") == 0) {
		run_within(words + 2);
	} else {
		struct options options = read_options(words + (count > 0));

		deadline = options.deadline;
		arm(options.alarm);
		if (options.mistake[0]) {
			read_state();
			fail(options.mistake[0], options.mistake[1], options.mistake[2], "");
		}
		report(&options);
	}
	_exit(0);
}
