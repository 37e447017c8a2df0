// The only C of the library: what Swift cannot say. Thread-local barrier flag and mutator records, prefetch, atomics on raw
// addresses, register spill for the conservative scan, and the few system calls without a Swift-importable wrapper.
// Everything on a hot path is a static inline; nothing here holds state but the thread-local block.
#ifndef C_TRICOLOR_SHIMS_H
#define C_TRICOLOR_SHIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The calling thread's collector state. `barrier` is written only by its own thread, in the slow path of a poll or on
// entering and leaving a heap, so a plain load is sound (docs/protocol.md, "Flags"). `initial-exec` makes it one
// fs-relative load in an executable and in a shared library alike.
typedef struct {
  uint8_t barrier;        // 0 off; bit 0 deletion half; bit 1 insertion half; bit 2 cards: the OR over all heaps this thread is inside
  uint8_t simulated_node; // 1 + the made-up node the thread says it runs on; 0 for none (SimulatedNodes.swift)
  int32_t error;          // the code of the last error of a function of the C interface
  void *_Nullable mutators;   // first of the thread's mutator records, one for each heap it has entered
  uintptr_t stack_base;       // highest address of the thread's stack, cached at first attach
} tricolor_thread_t;

extern _Thread_local tricolor_thread_t tricolor_thread __attribute__((tls_model("initial-exec")));

static inline uint8_t tricolor_barrier(void) { return tricolor_thread.barrier; }
static inline void tricolor_set_barrier(uint8_t mode) { tricolor_thread.barrier = mode; }
static inline void *_Nullable tricolor_thread_mutators(void) { return tricolor_thread.mutators; }
static inline void tricolor_set_thread_mutators(void *_Nullable first) { tricolor_thread.mutators = first; }
static inline uintptr_t tricolor_stack_base(void) { return tricolor_thread.stack_base; }
static inline void tricolor_set_stack_base(uintptr_t base) { tricolor_thread.stack_base = base; }

static inline uint8_t tricolor_simulated_node(void) { return tricolor_thread.simulated_node; }
static inline void tricolor_set_simulated_node(uint8_t node) { tricolor_thread.simulated_node = node; }

static inline int32_t tricolor_error_code(void) { return tricolor_thread.error; }
static inline void tricolor_set_error_code(int32_t code) { tricolor_thread.error = code; }

// Prefetch into all cache levels; never faults.
static inline void tricolor_prefetch(uintptr_t address) { __builtin_prefetch((const void *)address, 0, 3); }
// The same for a line about to be written: taken exclusively, so that the write need not ask the other caches again.
// Spelled out on x86-64, where compilers emit a read prefetch unless told of a newer processor; old ones ignore the instruction.
static inline void tricolor_prefetch_for_write(uintptr_t address) {
#if defined(__x86_64__)
  __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
  __builtin_prefetch((const void *)address, 1, 3);
#endif
}

// Relaxed and acquire/release accesses to raw words that other threads read and write (slots, bitmaps, descriptors).
static inline uintptr_t tricolor_load_word(uintptr_t address) {
  return __atomic_load_n((const uintptr_t *)address, __ATOMIC_RELAXED);
}
static inline uint32_t tricolor_load_flag(const void *_Nonnull address) {
  return __atomic_load_n((const uint32_t *)address, __ATOMIC_RELAXED);
}
static inline void tricolor_store_word(uintptr_t address, uintptr_t value) {
  __atomic_store_n((uintptr_t *)address, value, __ATOMIC_RELAXED);
}
// Puts `desired` where `expected` is; whether it was.
static inline bool tricolor_replace_word(uintptr_t address, uintptr_t expected, uintptr_t desired) {
  return __atomic_compare_exchange_n((uintptr_t *)address, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline uint64_t tricolor_load_bits(const uint64_t *_Nonnull word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline uint8_t tricolor_load_byte(const uint8_t *_Nonnull place) { return __atomic_load_n(place, __ATOMIC_RELAXED); }
static inline void tricolor_store_byte(uint8_t *_Nonnull place, uint8_t value) {
  __atomic_store_n(place, value, __ATOMIC_RELAXED);
}
// An index that is stored once what it names is complete.
static inline uint16_t tricolor_load_index(const uint16_t *_Nonnull place) { return __atomic_load_n(place, __ATOMIC_ACQUIRE); }
static inline void tricolor_store_index(uint16_t *_Nonnull place, uint16_t index) {
  __atomic_store_n(place, index, __ATOMIC_RELEASE);
}
// Sets the bits of `mask` and answers whether any of them was clear before.
static inline bool tricolor_set_bits(uint64_t *_Nonnull word, uint64_t mask) {
  return (__atomic_fetch_or(word, mask, __ATOMIC_RELAXED) & mask) != mask;
}
// Sets the bits of `mask` and answers which of them were set before.
static inline uint64_t tricolor_add_bits(uintptr_t word, uint64_t mask) {
  return __atomic_fetch_or((uint64_t *)word, mask, __ATOMIC_RELAXED) & mask;
}
static inline uint64_t tricolor_load_scan_word(uintptr_t address) { return *(const uint64_t *)address; }
static inline void tricolor_clear_bits(uint64_t *_Nonnull word, uint64_t mask) {
  (void)__atomic_fetch_and(word, ~mask, __ATOMIC_RELAXED);
}

// The same address, in a register of its own: the compiler cannot fold the sum it came from into each access. Processors that answer a
// load from the store just before it without going to the cache do so only where both name one register and a constant.
static inline uintptr_t tricolor_in_register(uintptr_t address) {
  __asm__("" : "+r"(address));
  return address;
}

// Keeps `word` alive in a register or on the stack up to this point; emits no instruction.
static inline void tricolor_keep(uintptr_t word) { __asm__ volatile("" : : "r"(word) : "memory"); }

// Calls body(context, stack_pointer) with every callee-saved register spilled above stack_pointer, so that a scan from
// stack_pointer up to the stack's base sees every value the caller holds.
void tricolor_call_with_spilled_registers(
    void (*_Nonnull body)(void *_Nullable context, uintptr_t stack_pointer), void *_Nullable context);

// Stores the callee-saved registers in registers[0...11] and answers the stack pointer: registers and stack from there up hold
// every value the thread's frames can still use, until the function it is inlined into returns or its frames change. Inlined
// for that reason: a frame of its own would be gone, and with it the caller's registers that it had saved there. The registers
// are stored explicitly: setjmp mangles some of them, and __builtin_unwind_init leaves their place to the compiler.
static inline __attribute__((always_inline)) uintptr_t tricolor_capture_registers(uintptr_t *_Nonnull registers) {
  uintptr_t stack_pointer;
#if defined(__x86_64__)
  __asm__ volatile(
      "movq %%rbx, 0(%1)\n\tmovq %%rbp, 8(%1)\n\tmovq %%r12, 16(%1)\n\t"
      "movq %%r13, 24(%1)\n\tmovq %%r14, 32(%1)\n\tmovq %%r15, 40(%1)\n\tmovq %%rsp, %0"
      : "=&r"(stack_pointer) : "r"(registers) : "memory");
#elif defined(__aarch64__)
  __asm__ volatile(
      "stp x19, x20, [%1]\n\tstp x21, x22, [%1, #16]\n\tstp x23, x24, [%1, #32]\n\t"
      "stp x25, x26, [%1, #48]\n\tstp x27, x28, [%1, #64]\n\tstp x29, x30, [%1, #80]\n\tmov %0, sp"
      : "=&r"(stack_pointer) : "r"(registers) : "memory");
#else
#error "tricolor_capture_registers: unknown architecture"
#endif
  return stack_pointer;
}

// Calls body(context) while `hidden ^ key` is in exactly one callee-saved register (0 to 5: rbx, rbp, r12 to r15 on
// x86-64; x19 to x24 on arm64) and nowhere else that this function knows of. For tests of the register spill.
void tricolor_call_with_hidden_register(
    int which, uintptr_t hidden, uintptr_t key, void (*_Nonnull body)(void *_Nullable context), void *_Nullable context);

// The frame pointer of the function it is inlined into, which gets one: where the caller's is stored, with the return address above.
static inline __attribute__((always_inline)) uintptr_t tricolor_frame_pointer(void) {
  return (uintptr_t)__builtin_frame_address(0);
}

// Blocks while *word == expected, at most timeout_nanoseconds (negative: no timeout). 0, or errno.
int tricolor_futex_wait(const uint32_t *_Nonnull word, uint32_t expected, int64_t timeout_nanoseconds);
int tricolor_futex_wake(const uint32_t *_Nonnull word, int count);

// The calling thread's stack base (highest address), or 0 with errno set.
uintptr_t tricolor_find_stack_base(void);
int tricolor_thread_id(void);
// Names an anonymous mapping in /proc/self/maps; 0, or errno where the kernel lacks it.
int tricolor_name_mapping(void *_Nonnull start, size_t length, const char *_Nonnull name);
// Puts the calling thread under SCHED_IDLE; 0, or errno.
int tricolor_become_idle_priority(void);

// Tells the processor that the caller spins, so that its sibling hyperthread runs on.
static inline void tricolor_spin_hint(void) {
#if defined(__x86_64__)
  __asm__ volatile("pause");
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

// Names the calling thread (the kernel keeps 15 bytes); 0, or errno.
int tricolor_name_thread(const char *_Nonnull name);
// Processor masks of `bytes` bytes, a multiple of 8. The processors the calling thread may use; and the ones a thread made
// with these pthread_attr_t will be confined to. 0, or errno.
int tricolor_allowed_processors(uint64_t *_Nonnull mask, size_t bytes);
int tricolor_set_attribute_processors(void *_Nonnull attributes, const uint64_t *_Nonnull mask, size_t bytes);
// Confines the calling thread to processors. 0, or errno.
int tricolor_confine_thread(const uint64_t *_Nonnull mask, size_t bytes);

// The NUMA node of the processor the caller runs on right now, 0 where the kernel does not say. No system call on x86-64.
int tricolor_current_node(void);

// Where tricolor_spawn_in_group failed.
enum { TRICOLOR_SPAWN_FORK = 0, TRICOLOR_SPAWN_JOIN = 1, TRICOLOR_SPAWN_EXEC = 2 };
// Starts a program in a child that joins the control group whose cgroup.procs is given, before it becomes the program. The
// child dies with the calling thread. A null environment is the caller's. Null files are the caller's too, and then SIGINT,
// SIGTERM, SIGHUP and SIGQUIT that somebody sends to this process (not the terminal, which sends them to the child too) are passed on
// until tricolor_await_child, for one child at a time. Otherwise the three descriptors, each above 2, become the child's
// standard files, nothing is passed on, and there may be many. The child's process id, or -errno with *stage set.
int tricolor_spawn_in_group(
    const char *_Nonnull procs_path, const char *_Nonnull executable, char *_Nullable const *_Nonnull arguments,
    char *_Nullable const *_Nullable environment, const int *_Nullable files, int *_Nonnull stage);
// Waits for the child with the caller's files. Its exit code or the signal that ended it; the other one is -1. 0, or errno.
int tricolor_await_child(int child, int *_Nonnull exit_code, int *_Nonnull signal_number);
// Looks whether a child with its own files has ended: 1 with how, as above, 0 when it runs, -errno.
int tricolor_poll_child(int child, int *_Nonnull exit_code, int *_Nonnull signal_number);

#ifdef __cplusplus
}
#endif
#endif
