/*
 * Giving up privileges. The filter of system calls is a list of what is refused, not of what is
 * allowed: the C library, libpq, OpenSSL and the sanitizers change what they call from version to
 * version, and a list of what they may do would break with each. What is refused is what turns a
 * broken responder into more than that: other programs, other users, other processes' memory, files
 * of others, the kernel's rarely used and often broken parts.
 *
 * A refused call fails with EPERM and does not kill: libraries try things and cope (a resolver's
 * module that wants a strange socket), and an attacker in control of a process gains nothing by it.
 */

#include "common/privileges.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static const char service_user[] = "mcs";

/* --- the user and the capabilities ------------------------------------------------------------ */

static void become_service_user(void) {
  const struct passwd *user = getpwnam(service_user);
  if (!user || user->pw_uid == 0) {
    log_error("privileges.root", "msg=\"refuses to run as root: there is no user %s to switch to\"",
              service_user);
    exit(1);
  }
  int death_signal = 0;
  prctl(PR_GET_PDEATHSIG, &death_signal);
  if (initgroups(user->pw_name, user->pw_gid) != 0 ||
      setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
      setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0) {
    log_error("privileges.root", "msg=\"cannot become the user %s: %s\"", service_user,
              strerror(errno));
    exit(1);
  }
  prctl(PR_SET_PDEATHSIG, death_signal); /* which a change of the user takes away */
  setenv("HOME", user->pw_dir, 1);       /* libpq looks there, and fails where it may not look */
}

static void drop_bounding_set(void) {
  for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
    if (prctl(PR_CAPBSET_DROP, i) != 0)
      return; /* that takes a capability itself; without any, there is nothing to bound */
}

static void drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, none) != 0)
    log_warn("privileges.capabilities", "msg=\"%s\"", strerror(errno));
}

void privileges_drop(void) {
  drop_bounding_set();
  if (getuid() == 0 || geteuid() == 0)
    become_service_user();
  drop_capabilities();
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0);
}

/* --- the fence -------------------------------------------------------------------------------- */

/*
 * Other processes have the same user, and some of them (the web server, the databases) let their
 * user trace them, which means to read their memory and environment. A process in a Landlock domain
 * cannot trace one outside of it. The domain must forbid something of its own, here making block
 * devices: a formality. See landlock(7).
 */
static void raise_fence(void) {
  const struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK};
  int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
  if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) != 0)
    log_debug("privileges.unfenced", "msg=\"%s\"", strerror(errno));
  if (fd >= 0)
    close(fd);
}

/* --- the filter ------------------------------------------------------------------------------- */

/* Names, so that it builds with a libseccomp that does not know them all. */
static const char *const refused[] = {
    /* other programs */
    "execve", "execveat",
    /* other processes; LeakSanitizer looks for leaks by ptrace */
    "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp",
#ifndef __SANITIZE_ADDRESS__
    "ptrace",
#endif
    /* other users */
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid",
    "setfsgid", "capset",
    /* permissions of files, and names that lead to other files */
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "setxattr",
    "lsetxattr", "fsetxattr", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat",
    "open_by_handle_at", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "truncate",
    /* another view of the machine */
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
    /* the kernel */
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "add_key", "request_key", "keyctl", "fanotify_init", "personality", "modify_ldt", "iopl",
    "ioperm", "syslog", "acct", "quotactl", "swapon", "swapoff", "reboot", "vhangup", "sethostname",
    "setdomainname", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime"};

/* The last one is how getaddrinfo() learns which addresses there are, and the highest of them. */
static const int allowed_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static const unsigned namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

static bool is_allowed_family(int family) {
  for (size_t i = 0; i < ARRAY_LEN(allowed_families); i++)
    if (family == allowed_families[i])
      return true;
  return false;
}

/* Refuses a call when the bits of `mask` in argument `n` (an int) are `value`. */
static int refuse_if(scmp_filter_ctx filter, int call, unsigned n, unsigned mask, unsigned value) {
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                          SCMP_CMP(n, SCMP_CMP_MASKED_EQ, mask, value));
}

/* No file can be opened for writing any more, nor /proc/PID/mem; open files stay as they are.
 * Sanitizers write their reports. */
static int refuse_writing(scmp_filter_ctx filter) {
#ifndef __SANITIZE_ADDRESS__
  static const struct {
    unsigned mask, value;
  } flags[] = {{O_ACCMODE, O_WRONLY}, {O_ACCMODE, O_RDWR}, {O_CREAT, O_CREAT}, {O_TRUNC, O_TRUNC}};
  int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(creat), 0);
  for (size_t i = 0; i < ARRAY_LEN(flags) && !error; i++) {
    error = refuse_if(filter, SCMP_SYS(open), 1, flags[i].mask, flags[i].value);
    if (!error)
      error = refuse_if(filter, SCMP_SYS(openat), 2, flags[i].mask, flags[i].value);
  }
  if (error)
    return error;
#endif
  /* Its flags cannot be seen. */
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
}

/* Returns 0 or a negative errno, as libseccomp does. */
static int add_rules(scmp_filter_ctx filter) {
  int error = 0;
  for (size_t i = 0; i < ARRAY_LEN(refused) && !error; i++) {
    int call = seccomp_syscall_resolve_name(refused[i]);
    if (call != __NR_SCMP_ERROR)
      error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  for (int family = 0; family < AF_NETLINK && !error; family++)
    if (!is_allowed_family(family))
      error = refuse_if(filter, SCMP_SYS(socket), 0, UINT32_MAX, (unsigned)family);
  if (!error)
    error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                             SCMP_CMP(0, SCMP_CMP_GT, AF_NETLINK, 0));
  for (size_t i = 0; i < ARRAY_LEN(namespaces) && !error; i++)
    error = refuse_if(filter, SCMP_SYS(clone), 0, namespaces[i], namespaces[i]);
  /* The flags of this one cannot be seen; the C library then uses clone. */
  if (!error)
    error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (!error)
    error = refuse_writing(filter);
  /* Typing into the terminal of the process that started us. */
  if (!error)
    error = refuse_if(filter, SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCSTI);
  return error ? error : refuse_if(filter, SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCLINUX);
}

void privileges_confine(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* both need it */
  raise_fence();
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (!filter)
    log_oom();
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
  int error = add_rules(filter);
  if (!error)
    error = seccomp_load(filter);
  seccomp_release(filter);
  if (error)
    log_info("privileges.unconfined", "msg=\"cannot load the system call filter: %s\"",
             strerror(-error));
}
