/* SPDX-License-Identifier: Apache-2.0
 *
 * ioctl on terminals (its own pseudo-terminal), interfaces (the loopback), files and pipes; and unknown commands.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <asm/termbits.h>
#include <unistd.h>

static int control(int fd, unsigned long command, const void *argument)
{
	return syscall(SYS_ioctl, fd, command, argument);
}

static void terminal(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlock = 0, number, slave, count;
	struct winsize size = {24, 80, 640, 480};
	struct termios settings;
	struct termios2 settings2;

	control(master, TIOCGPTN, &number);
	control(master, TIOCSPTLCK, &unlock);
	control(master, TIOCGPTLCK, &unlock);
	slave = control(master, TIOCGPTPEER, (void *)(long)(O_RDWR | O_NOCTTY));
	control(slave, TCGETS, &settings);
	settings.c_lflag &= ~ECHO;
	control(slave, TCSETS, &settings);
	control(slave, TCSETSW, &settings);
	control(slave, TCSETSF, &settings);
	control(slave, TCGETS2, &settings2);
	control(slave, TCSETS2, &settings2);
	control(slave, TIOCSWINSZ, &size);
	control(slave, TIOCGWINSZ, &size);
	control(slave, TIOCGWINSZ, (void *)8);
	control(slave, TIOCGWINSZ, NULL);
	control(slave, FIONREAD, &count);
	control(slave, TIOCOUTQ, &count);
	control(slave, TIOCGPGRP, &count);
	control(slave, TIOCSPGRP, &unlock);
	control(slave, TIOCGSID, &count);
	control(slave, TIOCGETD, &count);
	control(slave, TIOCSETD, &unlock);
	control(slave, TIOCEXCL, NULL);
	control(slave, TIOCNXCL, NULL);
	control(slave, TIOCGEXCL, &count);
	control(slave, TIOCMGET, &count);
	control(slave, TIOCMBIS, &unlock);
	control(slave, TIOCGSOFTCAR, &count);
	control(slave, TIOCSTI, "x");
	control(master, TIOCPKT, &slave);
	control(master, TIOCGPKT, &count);
	control(slave, TCFLSH, (void *)TCIFLUSH);
	control(slave, TCFLSH, (void *)77);
	control(slave, TCXONC, (void *)TCOOFF);
	control(slave, TCXONC, (void *)TCOON);
	control(slave, TCSBRK, (void *)1);
	control(slave, TCSBRKP, (void *)0);
	control(slave, TIOCNOTTY, NULL);
	control(slave, TIOCSCTTY, NULL);
	control(0, TCGETS, &settings);
	control(-1, TCGETS, &settings);
	control(-1, TCSETS, &settings);
	control(-1, TIOCGWINSZ, &size);
	control(-1, TIOCSWINSZ, &size);
	control(-1, TCSETS, NULL);
}

static void interface(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), stream = socket(AF_INET, SOCK_STREAM, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING}, all[4];
	struct sockaddr_in name = {.sin_family = AF_INET};
	struct ifconf list = {.ifc_len = sizeof all, .ifc_req = all};
	struct rtentry route = {0};
	static const unsigned long get[] = {SIOCGIFFLAGS,   SIOCGIFADDR,   SIOCGIFNETMASK, SIOCGIFBRDADDR,
					    SIOCGIFDSTADDR, SIOCGIFMTU,    SIOCGIFMETRIC,  SIOCGIFINDEX,
					    SIOCGIFHWADDR,  SIOCGIFTXQLEN, SIOCGIFMAP,     SIOCGIFSLAVE};

	control(fd, SIOCSIFFLAGS, &request);
	for (unsigned n = 0; n < sizeof get / sizeof *get; n++)
		control(fd, get[n], &request);
	request.ifr_ifindex = 1;
	control(fd, SIOCGIFNAME, &request);
	request.ifr_mtu = 1500;
	control(fd, SIOCSIFMTU, &request);
	request.ifr_qlen = 100;
	control(fd, SIOCSIFTXQLEN, &request);
	name.sin_addr.s_addr = inet_addr("127.0.0.2");
	memcpy(&request.ifr_addr, &name, sizeof name);
	control(fd, SIOCSIFADDR, &request);
	control(fd, SIOCSIFNETMASK, &request);
	control(fd, SIOCGIFADDR, &request);
	control(fd, SIOCGIFCONF, &list);
	control(fd, SIOCGIFCONF, &list);
	list.ifc_req = NULL;
	control(fd, SIOCGIFCONF, &list);
	strcpy(request.ifr_name, "nonesuch");
	control(fd, SIOCGIFFLAGS, &request);
	control(fd, SIOCGIFHWADDR, &request);
	control(fd, SIOCSIFMTU, &request);
	memcpy(request.ifr_name, "sixteencharacter", 16);
	control(fd, SIOCGIFINDEX, &request);
	control(fd, SIOCGIFADDR, NULL);
	control(fd, SIOCETHTOOL, &request);
	control(fd, SIOCADDRT, &route);
	control(fd, SIOCINQ, &route);
	control(stream, SIOCOUTQ, &route);
	control(stream, SIOCATMARK, &route);
	control(stream, SIOCGSTAMP, &route);
	control(stream, SIOCGPGRP, &route);
	control(-1, SIOCSPGRP, &route);
	control(-1, SIOCBRADDBR, "br0");
}

static void files(void)
{
	int pair[2], number = 1, file = open("/", O_RDONLY | O_DIRECTORY);
	long flags;

	pipe(pair);
	write(pair[1], "12345", 5);
	control(pair[0], FIONREAD, &number);
	control(pair[0], FIONREAD, (void *)8);
	control(-1, FIONREAD, &number);
	number = 1;
	control(pair[0], FIONBIO, &number);
	control(pair[0], FIOASYNC, &number);
	control(pair[0], FIONBIO, NULL);
	control(pair[0], FIOCLEX, NULL);
	control(pair[0], FIONCLEX, NULL);
	control(pair[0], FIOQSIZE, &flags);
	control(-1, FS_IOC_GETFLAGS, &flags);
	control(-1, FS_IOC_SETFLAGS, &flags);
	control(-1, FS_IOC_FIEMAP, NULL);
	control(-1, FICLONE, (void *)3);
	control(-1, FIFREEZE, NULL);
	control(-1, FIGETBSZ, &number);
	control(-1, FIBMAP, &number);
	control(file, BLKGETSIZE64, &flags);
	control(file, BLKGETSIZE, &flags);
	control(file, BLKSSZGET, &flags);
	control(file, BLKROGET, &flags);
	control(file, BLKFLSBUF, NULL);
	control(file, BLKDISCARD, NULL);
	control(-1, _IOC(_IOC_READ, 0x12, 0x34, 8), &flags);
	control(-1, _IOC(_IOC_READ | _IOC_WRITE, 0xfe, 0xff, 0x3fff), NULL);
	control(-1, _IOC(_IOC_WRITE, 0xfe, 1, 4), (void *)0x1234);
	control(-1, _IOC(_IOC_NONE, 0xfe, 1, 4), (void *)0x1234);
	control(-1, 0x12345678abcdef01, (void *)0x1234);
	control(-1, 0, 0);
	control(-1, 0xffffffff, (void *)-1);
	control(-1, 0x5401 | 1UL << 32, NULL);
}

int main(void)
{
	unshare(CLONE_NEWNET);
	setsid();
	terminal();
	interface();
	files();
	return 0;
}
