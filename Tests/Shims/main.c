// Calls every function of CTricolorShims once or more with results that are known, so that the C can be checked by clang's
// undefined behaviour sanitizer (Scripts/sanitize.sh undefined). Not a part of the Swift package.
#include "CTricolorShims.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_thread_block(void) {
  assert(tricolor_barrier() == 0 && tricolor_thread_mutators() == NULL && tricolor_stack_base() == 0);
  int record;
  tricolor_set_barrier(3);
  tricolor_set_thread_mutators(&record);
  tricolor_set_stack_base(UINTPTR_MAX);
  assert(tricolor_barrier() == 3 && tricolor_thread_mutators() == &record && tricolor_stack_base() == UINTPTR_MAX);
  tricolor_set_barrier(0);
  tricolor_set_thread_mutators(NULL);
}

static void check_words(void) {
  uintptr_t word = 0;
  tricolor_store_word((uintptr_t)&word, 42);
  assert(tricolor_load_word((uintptr_t)&word) == 42);
  uint32_t flag = 7;
  assert(tricolor_load_flag(&flag) == 7);
  uint64_t bits = 0;
  for (int bit = 0; bit < 64; bit++) {
    assert(tricolor_set_bits(&bits, UINT64_C(1) << bit));
    assert(!tricolor_set_bits(&bits, UINT64_C(1) << bit));
  }
  assert(tricolor_load_bits(&bits) == UINT64_MAX);
  tricolor_clear_bits(&bits, UINT64_C(1) << 63 | 1);
  assert(tricolor_load_bits(&bits) == UINT64_MAX - 1 - (UINT64_C(1) << 63));
  tricolor_prefetch((uintptr_t)&bits);
  tricolor_prefetch(0);
  assert(tricolor_add_bits((uintptr_t)&bits, 3) == 2);
  assert(tricolor_add_bits((uintptr_t)&bits, 3) == 3 && tricolor_load_scan_word((uintptr_t)&bits) == bits);
  uint16_t place = 0;
  tricolor_store_index(&place, 7);
  assert(tricolor_load_index(&place) == 7 && tricolor_in_register((uintptr_t)&place) == (uintptr_t)&place);
  tricolor_prefetch_for_write((uintptr_t)&bits);
  tricolor_keep(word);
  tricolor_spin_hint();
}

static void look_for_word(void *context, uintptr_t stack_pointer) {
  uintptr_t wanted = *(uintptr_t *)context ^ 0x5555;
  for (uintptr_t place = stack_pointer & ~(uintptr_t)7; place < tricolor_find_stack_base(); place += 8) {
    if (tricolor_load_word(place) == wanted) *(uintptr_t *)context = 0;
  }
}

static void spill(void *context) { tricolor_call_with_spilled_registers(look_for_word, context); }

static void check_registers(void) {
  for (int which = 0; which < 6; which++) {
    uintptr_t hidden = (uintptr_t)0x123456789abcdef0 ^ 0x5555;
    tricolor_call_with_hidden_register(which, hidden, 0x5555, spill, &hidden);
    assert(hidden == 0);
  }
  uintptr_t registers[12] = {0};
  uintptr_t stack_pointer = tricolor_capture_registers(registers);
  assert(stack_pointer <= (uintptr_t)registers && stack_pointer < tricolor_find_stack_base());
}

static void check_system(void) {
  uint32_t word = 1;
  assert(tricolor_futex_wait(&word, 0, -1) == EAGAIN);
  assert(tricolor_futex_wait(&word, 1, 1000000) == ETIMEDOUT);
  assert(tricolor_futex_wait(&word, 1, 0) == ETIMEDOUT);
  assert(tricolor_futex_wake(&word, 1) == 0);
  assert(tricolor_thread_id() == getpid());
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert(page != MAP_FAILED);
  int named = tricolor_name_mapping(page, 4096, "shims");
  assert(named == 0 || named == EINVAL);
  assert(tricolor_name_thread("shims") == 0);
  assert(tricolor_name_thread("a name that is too long") == ERANGE);
  uint64_t mask[16] = {0};
  assert(tricolor_allowed_processors(mask, sizeof mask) == 0 && tricolor_allowed_processors(mask, 0) == EINVAL);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  assert(tricolor_set_attribute_processors(&attributes, mask, sizeof mask) == 0);
  pthread_attr_destroy(&attributes);
  assert(tricolor_current_node() >= 0);
  int idle = tricolor_become_idle_priority();
  assert(idle == 0 || idle == EPERM);
}

static void check_children(void) {
  int stage = -1, exit_code = 0, signal_number = 0;
  char *arguments[] = {"sh", "-c", "exit $CODE", NULL};
  char *environment[] = {"CODE=7", NULL};
  int child = tricolor_spawn_in_group("/dev/null", "/bin/sh", arguments, environment, NULL, &stage);
  assert(child > 0);
  assert(tricolor_await_child(child, &exit_code, &signal_number) == 0);
  assert(exit_code == 7 && signal_number == -1);
  char *killed[] = {"sh", "-c", "kill -9 $$", NULL};
  child = tricolor_spawn_in_group("/dev/null", "/bin/sh", killed, NULL, NULL, &stage);
  assert(child > 0);
  assert(tricolor_await_child(child, &exit_code, &signal_number) == 0);
  assert(exit_code == -1 && signal_number == 9);
  assert(tricolor_spawn_in_group("/nowhere", "/bin/sh", arguments, NULL, NULL, &stage) == -ENOENT);
  assert(stage == TRICOLOR_SPAWN_JOIN);
  assert(tricolor_spawn_in_group("/dev/null", "/nowhere", arguments, NULL, NULL, &stage) == -ENOENT);
  assert(stage == TRICOLOR_SPAWN_EXEC);
  assert(tricolor_await_child(getpid(), &exit_code, &signal_number) == ECHILD);
}

// Two at once, each with a pipe: what they write comes apart, and ends are seen one by one.
static void check_children_with_files(void) {
  int stage = -1, exit_code = 0, signal_number = 0;
  int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int pipes[2][2], children[2];
  char *arguments[] = {"sh", "-c", "echo $0; exit 5", NULL};
  for (int i = 0; i < 2; i++) {
    assert(pipe2(pipes[i], O_CLOEXEC) == 0);
    int files[] = {input, pipes[i][1], pipes[i][1]};
    arguments[0] = i == 0 ? "one" : "two";
    children[i] = tricolor_spawn_in_group("/dev/null", "/bin/sh", arguments, NULL, files, &stage);
    assert(children[i] > 0);
    close(pipes[i][1]);
  }
  for (int i = 0; i < 2; i++) {
    char text[16] = {0};
    int ended;
    assert(read(pipes[i][0], text, sizeof text - 1) == 4 && strcmp(text, i == 0 ? "one\n" : "two\n") == 0);
    while ((ended = tricolor_poll_child(children[i], &exit_code, &signal_number)) == 0) usleep(1000);
    assert(ended == 1 && exit_code == 5 && signal_number == -1);
    close(pipes[i][0]);
  }
  int files[] = {input, input, input};
  assert(tricolor_spawn_in_group("/dev/null", "/nowhere", arguments, NULL, files, &stage) == -ENOENT);
  assert(tricolor_poll_child(getpid(), &exit_code, &signal_number) == -ECHILD);
  close(input);
}

int main(void) {
  check_thread_block();
  check_words();
  check_registers();
  check_system();
  check_children();
  check_children_with_files();
  puts("every shim was called");
  return 0;
}
