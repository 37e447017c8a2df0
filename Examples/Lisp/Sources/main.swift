// Runs the programs of the files named, or, without any, programs whose answers are known.

import Foundation
import Tricolor

private let programs = [
  ("recursion", "(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))) (fib 18)", "2584"),
  (
    "a tail call that runs long on a short stack",
    "(define count (lambda (n sum) (if (= n 0) sum (count (- n 1) (+ sum n))))) (count 100000 0)", "5000050000"
  ),
  (
    "counters, each with a variable of its own",
    """
    (define counter (lambda () (begin (define n 0) (lambda () (set! n (+ n 1))))))
    (define a (counter)) (define b (counter))
    (a) (a) (b)
    (list (a) (b))
    """, "(3 2)"
  ),
  (
    "lists of lists",  // and much garbage
    """
    (define map (lambda (f l) (if (empty? l) l (cons (f (car l)) (map f (cdr l))))))
    (define upto (lambda (n) (if (= n 0) (quote ()) (cons n (upto (- n 1))))))
    (define rounds (lambda (n) (if (= n 0) 0 (begin (map (lambda (x) (list x x)) (upto 50)) (rounds (- n 1))))))
    (rounds 200)
    (map (lambda (x) (* x x)) (upto 5))
    """, "(25 16 9 4 1)"
  ),
]

func runKnownPrograms() throws {
  let heap = try Heap()
  for (name, program, wanted) in programs {
    let found = try heap.withMutator { mutator in try Interpreter(mutator).run(program).text }
    guard found == wanted else { fatalError("\(name): \(found), not \(wanted)") }
    print("\(name): \(found)")
  }
  heap.collect()
  let statistics = heap.statistics
  print("\(statistics.allocatedObjects) objects made, \(statistics.cycles) cycles, \(statistics.liveBytes) bytes alive")
}

func runFiles(_ paths: some Sequence<String>) throws {
  let heap = try Heap()
  for path in paths {
    let program = try String(contentsOfFile: path, encoding: .utf8)
    print(try heap.withMutator { mutator in try Interpreter(mutator).run(program).text })
  }
}

let paths = CommandLine.arguments.dropFirst()
if paths.isEmpty { try runKnownPrograms() } else { try runFiles(paths) }
