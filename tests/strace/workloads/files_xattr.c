// SPDX-License-Identifier: Apache-2.0
// Extended attributes.
#include "files.h"
#include <sys/xattr.h>

int main(void)
{
	char buffer[300], value[] = "some\0value";
	fresh_directory();
	make_file("a", "text");
	if (symlink("a", "s"))
		abort();
	int fd = open("a", O_RDWR);
	syscall(SYS_setxattr, "a", "trusted.one", value, sizeof value, 0);
	syscall(SYS_setxattr, "a", "trusted.one", value, 4, XATTR_CREATE);
	syscall(SYS_setxattr, "/nonexistent", "trusted.one", value, 4, XATTR_REPLACE);
	syscall(SYS_setxattr, "a", NULL, value, 0, 0);
	syscall(SYS_setxattr, "a", "trusted.a-name-that-is-longer-than-thirty-two-bytes", NULL, 0, 0);
	syscall(SYS_setxattr, "a", "user.x", NOWHERE, 5, 0x77);
	syscall(SYS_setxattr, "a", "wrong", "a value that is longer than thirty-two bytes", 44,
		XATTR_CREATE | XATTR_REPLACE);
	syscall(SYS_lsetxattr, "s", "trusted.two", "2", 1, XATTR_CREATE);
	syscall(SYS_lsetxattr, "/nonexistent", "trusted.two", "2", 1, 0);
	syscall(SYS_fsetxattr, fd, "trusted.three", "a value that is longer than thirty-two bytes", 44, 0);
	syscall(SYS_fsetxattr, 99, "trusted.three", "", 0, 4);
	syscall(SYS_getxattr, "a", "trusted.one", buffer, sizeof buffer);
	syscall(SYS_getxattr, "a", "trusted.one", NULL, 0);
	syscall(SYS_getxattr, "a", "trusted.one", buffer, 0);
	syscall(SYS_getxattr, "a", "trusted.one", buffer, 2);
	syscall(SYS_getxattr, "a", "trusted.none", buffer, sizeof buffer);
	syscall(SYS_getxattr, "a", "trusted.three", buffer, sizeof buffer);
	syscall(SYS_getxattr, NULL, NOWHERE, buffer, sizeof buffer);
	syscall(SYS_lgetxattr, "s", "trusted.two", buffer, sizeof buffer);
	syscall(SYS_lgetxattr, "s", "trusted.one", buffer, sizeof buffer);
	syscall(SYS_fgetxattr, fd, "trusted.one", buffer, sizeof buffer);
	syscall(SYS_fgetxattr, 99, "trusted.one", buffer, sizeof buffer);
	syscall(SYS_listxattr, "a", buffer, sizeof buffer);
	syscall(SYS_listxattr, "a", NULL, 0);
	syscall(SYS_listxattr, "a", buffer, 0);
	syscall(SYS_listxattr, "a", buffer, 1);
	syscall(SYS_listxattr, "/nonexistent", buffer, sizeof buffer);
	syscall(SYS_llistxattr, "s", buffer, sizeof buffer);
	syscall(SYS_llistxattr, NOWHERE, NOWHERE, 77);
	syscall(SYS_flistxattr, fd, buffer, sizeof buffer);
	syscall(SYS_flistxattr, 99, buffer, sizeof buffer);
	syscall(SYS_removexattr, "a", "trusted.one");
	syscall(SYS_removexattr, "a", "trusted.one");
	syscall(SYS_removexattr, NULL, "trusted.one");
	syscall(SYS_lremovexattr, "s", "trusted.two");
	syscall(SYS_lremovexattr, "/nonexistent", NULL);
	syscall(SYS_fremovexattr, fd, "trusted.three");
	syscall(SYS_fremovexattr, 99, "trusted.three");
	return 0;
}
