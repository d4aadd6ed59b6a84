// The thread pool: fork and join in well under a microsecond.
//
// A region is a function and a number of tasks. `unclaimed` counts the tasks nobody has taken: a thread takes one by decrementing it, and only
// then reads the region's function, which cannot change before the task it took is counted in `finished`. So a thread that comes late from an
// earlier region either finds nothing to take or takes a task of the present one, and both are right; nobody waits for threads that took nothing.
#include "pool.hpp"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "memory.hpp"

namespace {

constexpr int kMaxThreads = 1024;

// How often a thread looks for work before it sleeps: some 50 us, longer than the gaps between the regions of a step. With more threads than
// processors a spinning thread keeps a working one from running, so it looks only a few times.
constexpr int kSpins = 4000;
constexpr int kSpinsOversubscribed = 20;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// futex_wait sleeps while *word == seen; futex_wake wakes at most n sleepers of word.
void futex_wait(std::atomic<uint32_t>* word, uint32_t seen) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0); }
void futex_wake(std::atomic<uint32_t>* word, int n) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, nullptr, nullptr, 0); }

struct Worker {
  nct_pool* pool;
  int thread;
  pthread_t handle;
  void* scratch;
  int64_t scratch_bytes;
};

}  // namespace

struct nct_pool {
  // The region; written by the caller while no task is claimed or unfinished.
  void (*fn)(void*, int, int) = nullptr;
  void* ctx = nullptr;
  uint32_t tasks = 0;

  alignas(64) std::atomic<uint32_t> unclaimed{0};
  alignas(64) std::atomic<uint32_t> finished{0};  // the caller sleeps on it
  std::atomic<uint32_t> caller_sleeps{0};
  alignas(64) std::atomic<uint32_t> regions{0};  // regions started (and the stop); workers sleep on it
  std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> stop{false};

  int threads = 1;
  int spins = kSpins;
  int64_t cache_bytes = 0;
  Worker* workers = nullptr;  // workers[0] is the caller
};

namespace {

// take_tasks runs tasks until none is left to claim.
void take_tasks(nct_pool* pool, int thread) {
  uint32_t ran = 0, tasks = 0;
  uint32_t left = pool->unclaimed.load(std::memory_order_acquire);
  while (left != 0) {
    if (!pool->unclaimed.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    tasks = pool->tasks;
    pool->fn(pool->ctx, static_cast<int>(tasks - left), thread);
    ran++;
    left = pool->unclaimed.load(std::memory_order_acquire);
  }
  if (ran == 0) return;
  // Sequentially consistent against join: either it sees this count or this sees that it sleeps.
  if (pool->finished.fetch_add(ran) + ran == tasks && pool->caller_sleeps.load()) futex_wake(&pool->finished, 1);
}

void join(nct_pool* pool, uint32_t tasks) {
  for (int i = 0; i < pool->spins; i++) {
    if (pool->finished.load(std::memory_order_acquire) == tasks) return;
    relax();
  }
  pool->caller_sleeps.store(1);
  for (uint32_t seen; (seen = pool->finished.load()) != tasks;) futex_wait(&pool->finished, seen);
  pool->caller_sleeps.store(0);
}

void* work(void* argument) {
  Worker* const worker = static_cast<Worker*>(argument);
  nct_pool* const pool = worker->pool;
  for (;;) {
    const uint32_t seen = pool->regions.load();
    if (pool->stop.load()) return nullptr;
    take_tasks(pool, worker->thread);
    int spins = 0;
    while (spins < pool->spins && pool->regions.load(std::memory_order_acquire) == seen) {
      relax();
      spins++;
    }
    if (spins < pool->spins) continue;
    pool->sleepers.fetch_add(1);
    futex_wait(&pool->regions, seen);
    pool->sleepers.fetch_sub(1);
  }
}

void announce(nct_pool* pool, int wanted) {
  pool->regions.fetch_add(1);
  if (pool->sleepers.load() > 0) futex_wake(&pool->regions, wanted);
}

// processors that this process may run on.
int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
}

int64_t second_level_cache() {
#ifdef _SC_LEVEL2_CACHE_SIZE
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : 0;
#else
  return 0;
#endif
}

// start makes the worker's thread, with asynchronous signals left to the program's own threads.
int start(Worker* worker) {
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF}) sigdelset(&blocked, s);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  const int failed = pthread_create(&worker->handle, nullptr, work, worker);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failed;
}

}  // namespace

extern "C" {

nct_pool* nct_pool_create(int threads) {
  if (threads < 1 || threads > kMaxThreads) return nullptr;
  nct::count_allocation();
  nct_pool* const pool = new (std::nothrow) nct_pool;
  if (pool == nullptr) return nullptr;
  nct::count_allocation();
  pool->workers = new (std::nothrow) Worker[static_cast<size_t>(threads)]();
  if (pool->workers == nullptr) {
    delete pool;
    return nullptr;
  }
  if (threads > processors()) pool->spins = kSpinsOversubscribed;
  pool->cache_bytes = second_level_cache();
  for (int t = 0; t < threads; t++) {
    pool->workers[t].pool = pool;
    pool->workers[t].thread = t;
  }
  for (; pool->threads < threads; pool->threads++) {
    if (start(&pool->workers[pool->threads]) != 0) {
      nct_pool_destroy(pool);
      return nullptr;
    }
  }
  return pool;
}

void nct_pool_destroy(nct_pool* pool) {
  if (pool == nullptr) return;
  pool->stop.store(true);
  announce(pool, INT_MAX);
  for (int t = 1; t < pool->threads; t++) pthread_join(pool->workers[t].handle, nullptr);
  for (int t = 0; t < pool->threads; t++) nct::release_huge(pool->workers[t].scratch, static_cast<size_t>(pool->workers[t].scratch_bytes));
  delete[] pool->workers;
  delete pool;
}

int nct_pool_threads(const nct_pool* pool) { return pool->threads; }

int nct_pool_reserve(nct_pool* pool, int64_t scratch) {
  for (int t = 0; t < pool->threads; t++) {
    Worker& worker = pool->workers[t];
    if (scratch <= worker.scratch_bytes) continue;
    void* const larger = nct::allocate_huge(static_cast<size_t>(scratch));
    if (larger == nullptr) return ENOMEM;
    nct::release_huge(worker.scratch, static_cast<size_t>(worker.scratch_bytes));
    worker.scratch = larger;
    worker.scratch_bytes = scratch;
  }
  return 0;
}

void* nct_pool_scratch(const nct_pool* pool, int thread) { return pool->workers[thread].scratch; }

void nct_pool_assume_cache(nct_pool* pool, int64_t bytes) { pool->cache_bytes = bytes; }

int64_t nct_pool_cache(const nct_pool* pool) { return pool->cache_bytes; }

void nct_parallel(nct_pool* pool, int tasks, void (*fn)(void*, int, int), void* ctx) {
  if (pool->threads == 1 || tasks <= 1) {
    for (int task = 0; task < tasks; task++) fn(ctx, task, 0);
    return;
  }
  pool->fn = fn;
  pool->ctx = ctx;
  pool->tasks = static_cast<uint32_t>(tasks);
  pool->finished.store(0, std::memory_order_relaxed);
  pool->unclaimed.store(static_cast<uint32_t>(tasks), std::memory_order_release);
  announce(pool, tasks - 1);
  take_tasks(pool, 0);
  join(pool, static_cast<uint32_t>(tasks));
}
}
