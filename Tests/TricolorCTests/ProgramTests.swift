// The C library as C and C++ programs meet it: each program checks itself, and exits 0 when all held.

import Testing

@Suite("The C library")
struct ProgramTests {
  private func expectSuccess(_ program: Program, _ arguments: [String] = [], environment: [String: String] = [:]) throws
  {
    let outcome = try program.run(arguments, environment: environment)
    #expect(outcome.exitCode == 0, "\(outcome.output)\(outcome.errors)")
  }

  @Test("Every argument of every function is refused when it is wrong, by name, with a code, without a crash")
  func wrongArguments() throws {
    try expectSuccess(try Program("wrong.c"))
  }

  @Test("GCBench keeps its long-lived data and counts every tree right, also when the collector checks itself")
  func benchmark() throws {
    let program = try Program("gcbench.c")
    try expectSuccess(program)
    try expectSuccess(program, environment: ["GODEBUG": "gcverify=1,gccheckmark=1,clobberfree=1"])
    try expectSuccess(program, environment: ["TRICOLOR_YOUNG": "always"])
  }

  @Test("Threads come, share references, block and go while cycles run", arguments: ["0", "1", "2"])
  func threads(stopMode: String) throws {
    try expectSuccess(try Program("threads.c"), [stopMode])
  }

  @Test("Each kind of layout keeps what it refers to and nothing else")
  func layouts() throws {
    let program = try Program("layouts.c")
    try expectSuccess(program)
    try expectSuccess(program, environment: ["GODEBUG": "gcverify=1,gccheckmark=1,clobberfree=1"])
  }

  @Test("Finalizers are queued by priority, bring their objects back, and are taken once")
  func finalizers() throws {
    try expectSuccess(try Program("finalizers.c"))
  }

  @Test("A table of ephemeron chains loses an entry with its key and no other, in time linear in its size")
  func ephemerons() throws {
    try expectSuccess(try Program("ephemerons.c"))
  }

  @Test(
    "Stores that are not announced, or afterwards, lose nothing in heaps that stop", arguments: ["always", "briefly"])
  func unannounced(stops: String) throws {
    try expectSuccess(try Program("unannounced.c"), [stops])
  }

  @Test("Settings, events, limits, statistics and several heaps")
  func observing() throws {
    try expectSuccess(try Program("observing.c"))
  }

  @Test("A program that opens the library when it has threads already can use it in all of them")
  func opened() throws {
    try expectSuccess(try Program("plugin.c", options: ["-std=gnu11"], links: false), [try Program.library.path])
  }

  @Test("A program for bdwgc's interface", arguments: ["silent", "announced"])
  func boehm(stores: String) throws {
    let headers = Program.headers.appendingPathComponent("tricolor-gc").path
    let program = try Program("boehm.c", options: ["-std=gnu99", "-D_GNU_SOURCE", "-I", headers])
    try expectSuccess(program, [stores], environment: ["GODEBUG": "clobberfree=1"])
  }

  @Test("A C++ program", arguments: ["-std=c++11", "-std=c++20"])
  func classes(standard: String) throws {
    try expectSuccess(try Program("classes.cpp", compiler: "c++", options: [standard]))
  }

  @Test("The header is C99 without extensions but GCC's own", arguments: ["-std=c99", "-std=c11", "-std=c17"])
  func standards(standard: String) throws {
    _ = try Program("header.c", options: [standard, "-pedantic"])
  }
}
