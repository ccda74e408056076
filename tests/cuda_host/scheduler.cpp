/* Threads of a block as fibers. A fiber runs until it meets others (a barrier, a warp operation) or
 * ends; then the next ready one runs. When none is ready and not all have ended, somebody waits
 * for threads that will not come. */
#include "cuda_host.h"

#include <csetjmp>
#include <memory>
#include <string>
#include <ucontext.h>
#include <vector>

namespace cuda_host {

Position now;

namespace {

constexpr size_t STACK = 128 * 1024;

enum class State { ready, warp, block, done };

struct PendingCopy {
    Region *region;
    char *to;
    const char *from;
    int commit; /* -1: not committed */
};

struct Fiber {
    std::unique_ptr<char[]> stack{new char[STACK]};
    ucontext_t start;
    jmp_buf at;
    bool begun = false;
    State state = State::ready;
    uint3 thread;
    const char *what = "", *file = "";
    int line = 0;
    void *mine = nullptr;
    std::vector<PendingCopy> copies;
    int commits = 0;
};

std::vector<Fiber> fibers;
size_t current, count;
jmp_buf scheduler;
const std::function<void()> *body;
Region shared;
std::vector<char> shared_bytes;
uint64_t block_barriers;
std::vector<uint64_t> warp_barriers;
std::string message; /* of the launch that failed */
bool running;

std::string place(const Fiber &f) {
    std::string file = f.file;
    return std::string(f.what) + " at " + file.substr(file.rfind('/') + 1) + ":" +
           std::to_string(f.line);
}

void yield() {
    if (_setjmp(fibers[current].at) == 0) _longjmp(scheduler, 1);
}

void enter() {
    (*body)();
    fibers[current].state = State::done;
    _longjmp(scheduler, 1);
}

void resume(size_t i) {
    current = i;
    now.thread = fibers[i].thread;
    if (_setjmp(scheduler)) return;
    if (fibers[i].begun) _longjmp(fibers[i].at, 1);
    fibers[i].begun = true;
    setcontext(&fibers[i].start);
}

/* Whether all of fibers[first .. last) wait in `state`; fails when they wait at different places.
 */
bool all_there(size_t first, size_t last, State state) {
    for (size_t i = first; i < last; i++)
        if (fibers[i].state != state) return false;
    for (size_t i = first + 1; i < last; i++)
        if (fibers[i].line != fibers[first].line || strcmp(fibers[i].file, fibers[first].file) != 0)
            fail("divergent: thread " + std::to_string(first) + " is in " + place(fibers[first]) +
                 ", thread " + std::to_string(i) + " in " + place(fibers[i]));
    return true;
}

void wait(State state, void *mine, const char *what, const char *file, int line) {
    Fiber &f = fibers[current];
    f.state = state, f.mine = mine, f.what = what, f.file = file, f.line = line;
}

void start_block(size_t threads) {
    if (fibers.size() < threads) fibers.resize(threads);
    count = threads;
    block_barriers = 1;
    warp_barriers.assign((threads + 31) / 32, 1);
    for (size_t i = 0; i < threads; i++) {
        Fiber &f = fibers[i];
        f.begun = false;
        f.state = State::ready;
        f.thread = {(unsigned)(i % now.block_size.x), (unsigned)(i / now.block_size.x), 0};
        f.copies.clear();
        f.commits = 0;
        getcontext(&f.start);
        f.start.uc_stack.ss_sp = f.stack.get();
        f.start.uc_stack.ss_size = STACK;
        f.start.uc_link = nullptr;
        makecontext(&f.start, enter, 0);
    }
    shared.written.assign(shared.bytes, 0);
    shared.traces.assign((shared.bytes + 3) / 4, Region::Trace());
}

void run_block() {
    for (;;) {
        bool any = false, all_done = true;
        for (size_t i = 0; i < count; i++) {
            if (fibers[i].state == State::ready) {
                any = true;
                resume(i);
                if (!message.empty()) return;
            }
            all_done = all_done && fibers[i].state == State::done;
        }
        if (all_done) return;
        if (any) continue;
        std::string text = "divergent barrier:";
        for (size_t i = 0; i < count && text.size() < 300; i++) {
            const bool first = i == 0 || fibers[i].state != fibers[i - 1].state ||
                               fibers[i].line != fibers[i - 1].line;
            if (first && fibers[i].state == State::done)
                text += " thread " + std::to_string(i) + " has ended;";
            else if (first)
                text += " thread " + std::to_string(i) + " waits in " + place(fibers[i]) + ";";
        }
        message = text;
        return;
    }
}

} // namespace

void fail(const std::string &text) {
    if (message.empty()) message = text;
    if (running) {
        const uint3 b = now.block, t = now.thread;
        message += " (block " + std::to_string(b.x) + "," + std::to_string(b.y) + ", thread " +
                   std::to_string(t.x) + ")";
        _longjmp(scheduler, 1);
    }
}

const std::string &last_failure() {
    return message;
}

Region *block_shared() {
    return &shared;
}

unsigned lane_number() {
    return (unsigned)(current % 32);
}

void meet_block(const char *file, int line) {
    wait(State::block, nullptr, "__syncthreads", file, line);
    if (all_there(0, count, State::block)) {
        block_barriers++;
        for (size_t i = 0; i < count; i++) fibers[i].state = State::ready;
    }
    yield();
}

void meet_warp(void *mine, Work work, bool orders, const char *what, const char *file, int line) {
    const size_t first = current / 32 * 32;
    if (first + 32 > count) fail("a warp operation in a warp of fewer than 32 threads");
    wait(State::warp, mine, what, file, line);
    if (!all_there(first, first + 32, State::warp)) return yield();
    void *lanes[32];
    for (size_t i = 0; i < 32; i++) lanes[i] = fibers[first + i].mine;
    work(lanes);
    if (orders) warp_barriers[first / 32]++;
    for (size_t i = 0; i < 32; i++) fibers[first + i].state = State::ready;
}

cudaError_t run(const std::function<void()> &function, dim3 grid, dim3 block, size_t bytes) {
    if (!message.empty()) return cudaErrorLaunchFailure;
    now.grid_size = grid, now.block_size = block;
    body = &function;
    shared_bytes.assign(bytes + 16, (char)0xff);
    shared.base = (char *)(((uintptr_t)shared_bytes.data() + 15) / 16 * 16);
    shared.bytes = bytes;
    shared.shared = true;
    running = true;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x && message.empty(); x++) {
                now.block = {x, y, z};
                start_block((size_t)block.x * block.y * block.z);
                run_block();
            }
    running = false;
    return message.empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

void forget_failure() {
    message.clear();
}

/* ---- races: who touched a word of shared memory since when ---- */

void Region::race(size_t word, bool write) {
    Trace &t = traces[word];
    const int me = (int)current;
    const uint64_t warp = warp_barriers[current / 32];
    const auto ordered = [&](int other, uint64_t in_block, uint64_t in_warp) {
        if (other == me || in_block < block_barriers) return true;
        if (other == -2) return false;
        return (other >= 0 ? other / 32 : -3 - other) == me / 32 && in_warp < warp;
    };
    if (t.writer >= 0 && !ordered(t.writer, t.write_block, t.write_warp))
        fail(std::string("shared memory: a race: thread ") + std::to_string(me) +
             (write ? " writes" : " reads") + " what thread " + std::to_string(t.writer) +
             " wrote, with no barrier between");
    if (write && t.reader != -1 && !ordered(t.reader, t.read_block, t.read_warp))
        fail("shared memory: a race: thread " + std::to_string(me) +
             " writes what another thread read, with no barrier between");
    if (write) {
        t.writer = me, t.write_block = block_barriers, t.write_warp = warp;
        t.reader = -1;
    } else {
        const bool old = t.reader == -1 || ordered(t.reader, t.read_block, t.read_warp);
        const int reader_warp = t.reader >= 0 ? t.reader / 32 : -3 - t.reader;
        t.reader = old || t.reader == me ? me : reader_warp == me / 32 ? -3 - me / 32 : -2;
        t.read_block = block_barriers, t.read_warp = warp;
    }
}

/* ---- asynchronous copies: done when waited for, not before ---- */

static void finish_copies(Fiber &f, int left) {
    size_t kept = 0;
    for (PendingCopy &c : f.copies) {
        if (c.commit >= 0 && c.commit < f.commits - left) {
            memcpy(c.to, c.from, 16);
            c.region->check(c.to, 16, true);
        } else {
            f.copies[kept++] = c;
        }
    }
    f.copies.resize(kept);
}

} // namespace cuda_host

namespace scp_device {

using namespace cuda_host;

void copy_start(Region *region, char *to, const char *from) {
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16) fail("an asynchronous copy is not aligned");
    region->check(to, 16, true); /* the place is taken from now on ... */
    memset(&region->written[(size_t)(to - region->base)], 0, 16); /* ... and empty until waited */
    fibers[current].copies.push_back({region, to, from, -1});
}

void copy_commit() {
    Fiber &f = fibers[current];
    for (PendingCopy &c : f.copies)
        if (c.commit < 0) c.commit = f.commits;
    f.commits++;
}

void copy_wait_for(int left) {
    finish_copies(fibers[current], left);
}

} // namespace scp_device
