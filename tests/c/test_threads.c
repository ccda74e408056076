/* The thread team: every task once, errors, polls, nested and concurrent calls, fork, resizing. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TASKS 1000

static void nap(long microseconds) {
    const struct timespec time = {0, microseconds * 1000};
    nanosleep(&time, NULL);
}

/* Counts how often each task ran, and that no two threads use one worker number at a time. */
struct tally {
    unsigned char runs[TASKS]; /* each written by its own task */
    atomic_int busy[256];
    atomic_size_t collisions, workers;
    size_t limit;
};

static enum scp_status count_task(void *context, size_t task, size_t worker) {
    struct tally *tally = context;
    if (worker >= tally->limit) {
        atomic_fetch_add(&tally->collisions, 1);
        return SCP_OK;
    }
    if (atomic_exchange(&tally->busy[worker], 1)) atomic_fetch_add(&tally->collisions, 1);
    tally->runs[task]++;
    atomic_store(&tally->busy[worker], 0);
    return SCP_OK;
}

static int all_once(const struct tally *tally, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (tally->runs[i] != 1) return 0;
    return atomic_load(&tally->collisions) == 0;
}

static void every_task_runs_once_at_any_size(void) {
    static const size_t sizes[] = {1, 2, 3, 8, 256}, counts[] = {0, 1, 2, 7, TASKS};
    for (size_t s = 0; s < 5; s++) {
        CHECK(scp_threads_set(sizes[s]) == SCP_OK);
        CHECK(scp_threads() == sizes[s]);
        for (size_t c = 0; c < 5; c++) {
            struct tally tally = {.limit = sizes[s]};
            CHECK(scp_parallel(counts[c], count_task, &tally, NULL) == SCP_OK);
            CHECK(all_once(&tally, counts[c]));
        }
    }
    CHECK(scp_threads_set(257) == SCP_EINVAL);
    CHECK(scp_threads() == 256);
    CHECK(scp_threads_set(4) == SCP_OK);
}

/* ---- errors ---- */

static enum scp_status fail_from(void *context, size_t task, size_t worker) {
    (void)worker;
    const size_t first = *(const size_t *)context;
    if (task == first) nap(200); /* a later task fails before the first */
    return task < first ? SCP_OK : task == first ? SCP_EINFEASIBLE : SCP_ENOMEM;
}

static void the_lowest_failing_task_decides(void) {
    for (int repeat = 0; repeat < 50; repeat++)
        for (size_t first = 0; first < 20; first += 19)
            CHECK(scp_parallel(TASKS, fail_from, &first, NULL) == SCP_EINFEASIBLE);
}

static enum scp_status count_and_fail(void *context, size_t task, size_t worker) {
    (void)worker;
    atomic_fetch_add((atomic_size_t *)context, 1);
    return task == 0 ? SCP_EINVAL : (nap(50), SCP_OK);
}

static void tasks_after_a_failure_are_dropped(void) {
    atomic_size_t ran = 0;
    CHECK(scp_parallel(100000, count_and_fail, &ran, NULL) == SCP_EINVAL);
    CHECK(atomic_load(&ran) < 10000);
}

/* ---- polls ---- */

struct watch {
    pthread_t caller;
    size_t calls, last, stop_after; /* 0: never */
    int wrong;
};

static int watch_poll(void *data, size_t done, size_t total) {
    struct watch *watch = data;
    watch->calls++;
    if (!pthread_equal(watch->caller, pthread_self()) || done > total || done < watch->last)
        watch->wrong = 1;
    watch->last = done;
    return watch->stop_after && watch->calls >= watch->stop_after;
}

static void the_poll_is_called_by_the_caller_and_stops(void) {
    for (size_t size = 1; size <= 4; size += 3) {
        scp_threads_set(size);
        struct tally tally = {.limit = size};
        struct watch watch = {.caller = pthread_self()};
        const struct scp_control control = {.poll = watch_poll, .data = &watch};
        CHECK(scp_parallel(TASKS, count_task, &tally, &control) == SCP_OK);
        CHECK(!watch.wrong && all_once(&tally, TASKS));
        CHECK(size > 1 || (watch.calls == TASKS && watch.last == TASKS));

        struct tally part = {.limit = size};
        struct watch stop = {.caller = pthread_self(), .stop_after = 1};
        const struct scp_control stopping = {.poll = watch_poll, .data = &stop};
        const enum scp_status status = scp_parallel(TASKS, count_task, &part, &stopping);
        CHECK(!stop.wrong);
        CHECK(stop.calls == 0 || status == SCP_EINTERRUPTED); /* others may have run all tasks */
        CHECK(size > 1 || (part.runs[0] == 1 && part.runs[1] == 0));
    }
    CHECK(scp_poll(NULL, 1, 2) == SCP_OK);
    const struct scp_control none = {.poll = NULL};
    CHECK(scp_poll(&none, 1, 2) == SCP_OK);
}

/* Endless tasks, ended only by a stop: on the caller its own poll tells them, on the team's threads
 * the stopped call. */
static enum scp_status until_stopped(void *context, size_t task, size_t worker) {
    const struct scp_control *control = context;
    (void)worker;
    while (scp_poll(control, task, 4) == SCP_OK) nap(100);
    return SCP_EINTERRUPTED;
}

static void running_tasks_hear_of_a_stop(void) {
    scp_threads_set(4);
    struct watch watch = {.caller = pthread_self(), .stop_after = 30};
    struct scp_control control = {.poll = watch_poll, .data = &watch};
    CHECK(scp_parallel(4, until_stopped, &control, &control) == SCP_EINTERRUPTED);
    CHECK(watch.calls >= 30);
}

struct long_task {
    struct scp_control control;
    atomic_int started;
    pthread_t caller;
};

static enum scp_status others_run_long(void *context, size_t task, size_t worker) {
    struct long_task *job = context;
    (void)task, (void)worker;
    if (pthread_equal(job->caller, pthread_self())) { /* leave at once, then only wait */
        while (!atomic_load(&job->started)) nap(100);
        return SCP_OK;
    }
    atomic_store(&job->started, 1);
    while (scp_poll(&job->control, 0, 1) == SCP_OK) nap(100);
    return SCP_EINTERRUPTED;
}

static int stop_when_asked_again(void *data, size_t done, size_t total) {
    (void)done, (void)total;
    return ++*(int *)data >= 3;
}

static void a_waiting_caller_still_polls(void) {
    scp_threads_set(2);
    int calls = 0;
    struct long_task job = {.caller = pthread_self()};
    job.control = (struct scp_control){.poll = stop_when_asked_again, .data = &calls};
    CHECK(scp_parallel(2, others_run_long, &job, &job.control) == SCP_EINTERRUPTED);
    CHECK(calls == 3);
}

/* ---- nesting ---- */

static enum scp_status inner(void *context, size_t task, size_t worker) {
    (void)task;
    if (worker != 0) return SCP_EINVAL;
    atomic_fetch_add((atomic_size_t *)context, 1);
    return SCP_OK;
}

static enum scp_status outer(void *context, size_t task, size_t worker) {
    (void)worker;
    if (scp_threads_set(2) != SCP_EINVAL) return SCP_EINVAL; /* refused inside a task */
    scp_threads_shutdown();                                  /* and ignored */
    const enum scp_status status = scp_parallel(20, inner, context, NULL);
    return task == 30 && status == SCP_OK ? SCP_EUNSUPPORTED : status;
}

static void nested_calls_run_serially(void) {
    scp_threads_set(4);
    atomic_size_t sum = 0;
    CHECK(scp_parallel(30, outer, &sum, NULL) == SCP_OK);
    CHECK(atomic_load(&sum) == 600);
    CHECK(scp_parallel(31, outer, &sum, NULL) == SCP_EUNSUPPORTED);
    CHECK(scp_threads() == 4);
}

/* ---- many callers ---- */

static atomic_int callers_left;

static void *caller(void *failures) {
    for (int repeat = 0; repeat < 200; repeat++) {
        scp_threads_pin();
        struct tally tally = {.limit = scp_threads()};
        struct watch watch = {.caller = pthread_self()};
        const struct scp_control control = {.poll = watch_poll, .data = &watch};
        if (scp_parallel(50, count_task, &tally, repeat % 2 ? &control : NULL) != SCP_OK ||
            !all_once(&tally, 50) || watch.wrong)
            atomic_fetch_add((atomic_size_t *)failures, 1);
        scp_threads_unpin();
    }
    atomic_fetch_sub(&callers_left, 1);
    return NULL;
}

static void many_callers_at_once(void) {
    enum { CALLERS = 6 };
    pthread_t threads[CALLERS];
    atomic_size_t failures = 0;
    scp_threads_set(3);
    for (int resize = 0; resize < 2; resize++) { /* alone, then while the team changes its size */
        atomic_store(&callers_left, CALLERS);
        for (int i = 0; i < CALLERS; i++)
            CHECK(pthread_create(&threads[i], NULL, caller, &failures) == 0);
        for (size_t size = 1; resize && atomic_load(&callers_left) > 0; size = size % 7 + 1)
            CHECK(scp_threads_set(size) == SCP_OK);
        for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
        CHECK(atomic_load(&failures) == 0);
    }
}

static void *resize(void *unused) {
    (void)unused;
    scp_threads_set(8);
    return NULL;
}

static void a_pinned_size_does_not_grow(void) {
    pthread_t thread;
    scp_threads_set(2);
    scp_threads_pin();
    CHECK(pthread_create(&thread, NULL, resize, NULL) == 0);
    pthread_join(thread, NULL);
    scp_threads_pin();
    scp_threads_unpin();
    CHECK(scp_threads() == 2);
    for (int i = 0; i < 20; i++) {
        struct tally tally = {.limit = 2};
        CHECK(scp_parallel(TASKS, count_task, &tally, NULL) == SCP_OK);
        CHECK(all_once(&tally, TASKS));
    }
    scp_threads_unpin();
    scp_threads_unpin(); /* one too many does no harm */
    CHECK(scp_threads() == 8);
}

/* ---- fork ---- */

static int child_ended_well(pid_t child) {
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static int works(void) {
    struct tally tally = {.limit = scp_threads()};
    return scp_parallel(TASKS, count_task, &tally, NULL) == SCP_OK && all_once(&tally, TASKS);
}

/* In a forked child. ThreadSanitizer and qemu die when a child of a process with threads starts
 * some of its own: there the child works alone. */
static int works_in_child(void) {
    alarm(60); /* a hang is a failure */
#ifdef SCP_TEST_LONELY_CHILD
    return scp_threads_set(1) == SCP_OK && works();
#else
    return works() && scp_threads_set(2) == SCP_OK && works();
#endif
}

static void a_forked_child_has_its_own_team(void) {
    scp_threads_set(3);
    CHECK(works());
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) {
            const int good = works_in_child();
            scp_threads_shutdown();
            _exit(!good);
        }
        CHECK(child_ended_well(child));
        CHECK(works());
    }
}

static void fork_while_others_call(void) {
    enum { CALLERS = 3 };
    pthread_t threads[CALLERS];
    atomic_size_t failures = 0;
    atomic_store(&callers_left, CALLERS);
    for (int i = 0; i < CALLERS; i++) pthread_create(&threads[i], NULL, caller, &failures);
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) _exit(!works_in_child());
        CHECK(child_ended_well(child));
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
    CHECK(atomic_load(&failures) == 0);
}

static pid_t forked;

static int fork_poll(void *data, size_t done, size_t total) {
    (void)data, (void)done, (void)total;
    if (forked == 0) {
        forked = fork();
        if (forked == 0) {
            forked = -1; /* the child returns into the call */
            alarm(60);
        }
    }
    return 0;
}

static enum scp_status short_nap(void *context, size_t task, size_t worker) {
    (void)context, (void)task, (void)worker;
    nap(500);
    return SCP_OK;
}

static void a_child_forked_from_a_poll_is_told(void) {
    const struct scp_control control = {.poll = fork_poll};
    scp_threads_set(4);
    forked = 0;
    const enum scp_status status = scp_parallel(64, short_nap, NULL, &control);
    if (forked == -1) _exit(!((status == SCP_ETHREAD || status == SCP_OK) && works_in_child()));
    CHECK(status == SCP_OK);
    CHECK(child_ended_well(forked));
}

/* ---- signals, environment, end ---- */

static pthread_t main_thread;
static atomic_int signals, strays;

static void on_signal(int number) {
    (void)number;
    atomic_fetch_add(&signals, 1);
    if (!pthread_equal(main_thread, pthread_self())) atomic_fetch_add(&strays, 1);
}

static void signals_stay_with_the_programs_threads(void) {
    main_thread = pthread_self();
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, &before);
    scp_threads_set(4);
    CHECK(works()); /* the team's threads exist */
    for (int i = 0; i < 100; i++) kill(getpid(), SIGUSR1);
    for (int i = 0; i < 1000 && atomic_load(&signals) == 0; i++) nap(100);
    CHECK(atomic_load(&signals) > 0);
    CHECK(atomic_load(&strays) == 0);
    sigaction(SIGUSR1, &before, NULL);
}

static void the_environment_sets_the_default(void) {
    static const struct {
        const char *text;
        size_t wish;
        enum scp_status status;
    } cases[] = {
        {"1", 1, SCP_OK},       {"3", 3, SCP_OK},       {"007", 7, SCP_OK},
        {"256", 256, SCP_OK},   {"257", 0, SCP_EINVAL}, {"99999999999999999999", 0, SCP_EINVAL},
        {"", 0, SCP_OK},        {"0", 0, SCP_EINVAL},   {"-1", 0, SCP_EINVAL},
        {"two", 0, SCP_EINVAL}, {"2x", 0, SCP_EINVAL},  {" 2", 0, SCP_EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t wish = 77;
        setenv("SCP_NUM_THREADS", cases[i].text, 1);
        CHECK(scp_threads_wish(&wish) == cases[i].status);
        CHECK(wish == (cases[i].status == SCP_OK ? cases[i].wish : 0));
        CHECK(scp_threads_set(0) == SCP_OK);
        CHECK(cases[i].wish == 0 || scp_threads() == cases[i].wish);
    }
    unsetenv("SCP_NUM_THREADS");
    CHECK(scp_threads_set(0) == SCP_OK);
    CHECK(scp_threads() >= 1);
}

static void shutdown_and_start_again(void) {
    scp_threads_set(4);
    for (int i = 0; i < 20; i++) {
        CHECK(works());
        scp_threads_shutdown();
        if (i % 2) scp_threads_shutdown();
    }
}

int main(void) {
    RUN(every_task_runs_once_at_any_size);
    RUN(the_lowest_failing_task_decides);
    RUN(tasks_after_a_failure_are_dropped);
    RUN(the_poll_is_called_by_the_caller_and_stops);
    RUN(running_tasks_hear_of_a_stop);
    RUN(a_waiting_caller_still_polls);
    RUN(nested_calls_run_serially);
    RUN(many_callers_at_once);
    RUN(a_pinned_size_does_not_grow);
    RUN(a_forked_child_has_its_own_team);
    RUN(fork_while_others_call);
    RUN(a_child_forked_from_a_poll_is_told);
    RUN(signals_stay_with_the_programs_threads);
    RUN(the_environment_sets_the_default);
    RUN(shutdown_and_start_again);
    return test_end();
}
