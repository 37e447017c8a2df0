// Out-of-line parts of CTricolorShims: register spill and the system calls Swift cannot import.
#include "CTricolorShims.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

_Thread_local tricolor_thread_t tricolor_thread __attribute__((tls_model("initial-exec")));

// The memory clobber after the call keeps the array alive and forbids a tail call.
__attribute__((noinline)) void tricolor_call_with_spilled_registers(
    void (*body)(void *, uintptr_t), void *context) {
  uintptr_t registers[12] = {0};
  tricolor_capture_registers(registers);
  body(context, (uintptr_t)registers);
  __asm__ volatile("" : : "r"(registers) : "memory");
}

#if defined(__x86_64__)
// Decodes hidden ^ key straight into one callee-saved register, wipes the caller-saved ones, and calls the body.
#define HOLD(NAME, REGISTER)                                                                        \
  __attribute__((naked, noinline)) static void hold_##NAME(                                         \
      uintptr_t hidden, uintptr_t key, void (*body)(void *), void *context) {                       \
    __asm__ volatile(                                                                               \
        "pushq %" REGISTER "\n\tmovq %rdi, %" REGISTER "\n\txorq %rsi, %" REGISTER "\n\t"           \
        "movq %rdx, %rax\n\tmovq %rcx, %rdi\n\txorl %esi, %esi\n\txorl %edx, %edx\n\t"              \
        "xorl %ecx, %ecx\n\txorl %r8d, %r8d\n\txorl %r9d, %r9d\n\txorl %r10d, %r10d\n\t"            \
        "xorl %r11d, %r11d\n\tcallq *%rax\n\tpopq %" REGISTER "\n\tretq");                          \
  }
HOLD(rbx, "rbx")
HOLD(rbp, "rbp")
HOLD(r12, "r12")
HOLD(r13, "r13")
HOLD(r14, "r14")
HOLD(r15, "r15")
void tricolor_call_with_hidden_register(
    int which, uintptr_t hidden, uintptr_t key, void (*body)(void *), void *context) {
  switch (which) {
    case 0: hold_rbx(hidden, key, body, context); break;
    case 1: hold_rbp(hidden, key, body, context); break;
    case 2: hold_r12(hidden, key, body, context); break;
    case 3: hold_r13(hidden, key, body, context); break;
    case 4: hold_r14(hidden, key, body, context); break;
    default: hold_r15(hidden, key, body, context); break;
  }
}
#else
void tricolor_call_with_hidden_register(
    int which, uintptr_t hidden, uintptr_t key, void (*body)(void *), void *context) {
  (void)which;
  register uintptr_t held __asm__("x19") = hidden ^ key;
  __asm__ volatile("" : "+r"(held));
  body(context);
  __asm__ volatile("" : : "r"(held));
}
#endif

int tricolor_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_nanoseconds) {
  struct timespec limit = {timeout_nanoseconds / 1000000000, timeout_nanoseconds % 1000000000};
  long result = syscall(
      SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_nanoseconds < 0 ? NULL : &limit, NULL, 0);
  return result == 0 ? 0 : errno;
}

int tricolor_futex_wake(const uint32_t *word, int count) {
  long result = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
  return result < 0 ? errno : 0;
}

// Where the loader found the first thread's stack: above all of its frames.
extern void *__libc_stack_end;

uintptr_t tricolor_find_stack_base(void) {
  pthread_attr_t attributes;
  int error = pthread_getattr_np(pthread_self(), &attributes);
  // For the first thread it reads /proc, which may not be mounted, or the process may be out of descriptors.
  if (error != 0 && getpid() == tricolor_thread_id()) return (uintptr_t)__libc_stack_end;
  if (error != 0) {
    errno = error;
    return 0;
  }
  void *lowest;
  size_t size;
  error = pthread_attr_getstack(&attributes, &lowest, &size);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    errno = error;
    return 0;
  }
  return (uintptr_t)lowest + size;
}

int tricolor_thread_id(void) { return (int)syscall(SYS_gettid); }

int tricolor_name_mapping(void *start, size_t length, const char *name) {
  return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, length, name) == 0 ? 0 : errno;
}

int tricolor_become_idle_priority(void) {
  struct sched_param parameters = {0};
  return pthread_setschedparam(pthread_self(), SCHED_IDLE, &parameters);
}

int tricolor_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

int tricolor_allowed_processors(uint64_t *mask, size_t bytes) {
  return sched_getaffinity(0, bytes, (cpu_set_t *)mask) == 0 ? 0 : errno;
}

int tricolor_set_attribute_processors(void *attributes, const uint64_t *mask, size_t bytes) {
  return pthread_attr_setaffinity_np(attributes, bytes, (const cpu_set_t *)mask);
}

int tricolor_confine_thread(const uint64_t *mask, size_t bytes) {
  return sched_setaffinity(0, bytes, (const cpu_set_t *)mask) == 0 ? 0 : errno;
}

int tricolor_current_node(void) {
  unsigned processor, node;
  return getcpu(&processor, &node) == 0 ? (int)node : 0;
}
