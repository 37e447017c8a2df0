// Children inside control groups, and the signals that are passed on to the one that has this process's standard files.
//
// fork and not posix_spawn with a shell in between: joining the group must happen in the child before exec, and a container may
// have no shell. Between fork and exec the child makes only calls that are safe in a signal handler, for the parent may have
// threads. The child tells through a close-on-exec pipe what failed; an empty pipe means that exec took place.
#include "CTricolorShims.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORWARDED = 4 };
static const int forwarded[FORWARDED] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static struct sigaction saved_actions[FORWARDED];
static volatile sig_atomic_t forward_to;  // the child, 0 before it is known and after it has ended
static volatile sig_atomic_t pending;     // a signal that came before the child was known

static void forward_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  int saved_errno = errno;
  if (info->si_code != SI_KERNEL) {
    if (forward_to > 0) {
      kill(forward_to, number);
    } else {
      pending = number;
    }
  }
  errno = saved_errno;
}

static void start_forwarding(void) {
  forward_to = 0;
  pending = 0;
  for (int i = 0; i < FORWARDED; i++) {
    sigaction(forwarded[i], NULL, &saved_actions[i]);
    if (saved_actions[i].sa_handler == SIG_IGN) continue;  // nohup stays nohup
    struct sigaction action = {.sa_sigaction = forward_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(forwarded[i], &action, NULL);
  }
}

static void restore_actions(void) {
  for (int i = 0; i < FORWARDED; i++) sigaction(forwarded[i], &saved_actions[i], NULL);
}

typedef struct {
  int stage;
  int error;
} failure_t;

static void fail(int report, int stage) {
  failure_t failure = {stage, errno};
  ssize_t written = write(report, &failure, sizeof failure);
  (void)written;  // a parent that is gone needs no report
  _exit(127);
}

static void become_program(
    const char *procs_path, const char *executable, char *const *arguments, char *const *environment, const int *files,
    const sigset_t *mask, pid_t parent, int report) {
  if (files == NULL) restore_actions();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  for (int i = 0; files != NULL && i < 3; i++) {
    if (dup2(files[i], i) < 0) fail(report, TRICOLOR_SPAWN_FORK);
  }
  int procs = open(procs_path, O_WRONLY | O_CLOEXEC);
  if (procs < 0 || write(procs, "0", 1) != 1) fail(report, TRICOLOR_SPAWN_JOIN);
  pthread_sigmask(SIG_SETMASK, mask, NULL);
  execve(executable, arguments, environment);
  fail(report, TRICOLOR_SPAWN_EXEC);
}

// Ends the passing on of signals first, so that no signal reaches a process that got the child's number after it.
static int reap(pid_t child, int *status) {
  siginfo_t info;
  while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) return errno;
  }
  forward_to = 0;
  restore_actions();
  while (waitpid(child, status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int tricolor_spawn_in_group(
    const char *procs_path, const char *executable, char *const *arguments, char *const *environment, const int *files,
    int *stage) {
  *stage = TRICOLOR_SPAWN_FORK;
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -errno;
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &mask);
  if (files == NULL) start_forwarding();
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    become_program(
        procs_path, executable, arguments, environment != NULL ? environment : environ, files, &mask, parent,
        report[1]);
  }
  int error = errno;
  close(report[1]);
  if (files == NULL && child > 0) {
    forward_to = child;
    if (pending != 0) kill(child, pending);
  } else if (files == NULL) {
    restore_actions();
  }
  pthread_sigmask(SIG_SETMASK, &mask, NULL);

  failure_t failure;
  ssize_t got = 0;
  if (child > 0) {
    do {
      got = read(report[0], &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
  }
  close(report[0]);
  if (child < 0) return -error;
  if (got != (ssize_t)sizeof failure) return child;
  int status;
  if (files == NULL) {
    reap(child, &status);
  } else {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  }
  *stage = failure.stage;
  return -failure.error;
}

static void tell_end(int status, int *exit_code, int *signal_number) {
  *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  *signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

int tricolor_await_child(int child, int *exit_code, int *signal_number) {
  int status = 0;
  int error = reap(child, &status);
  if (error != 0) return error;
  tell_end(status, exit_code, signal_number);
  return 0;
}

int tricolor_poll_child(int child, int *exit_code, int *signal_number) {
  int status = 0;
  pid_t ended;
  do {
    ended = waitpid(child, &status, WNOHANG);
  } while (ended < 0 && errno == EINTR);
  if (ended < 0) return -errno;
  if (ended == 0) return 0;
  tell_end(status, exit_code, signal_number);
  return 1;
}
