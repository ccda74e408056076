/* The thread team and its jobs. A job is one call of scp_parallel: its tasks are taken one by one
 * from a shared counter, by the caller and by whatever threads of the team are idle. Callers queue
 * their jobs in a list; the team's threads join the oldest that still has tasks. A job lives on its
 * caller's stack, so the caller leaves only when the last helper has. */
#define _POSIX_C_SOURCE 200809L
#include "scp/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "team_size.h"

#define STACK_BYTES ((size_t)2 << 20) /* musl's default is 128 KiB, macOS's 512 KiB */
#define POLL_NANOSECONDS 20000000L    /* between polls while the caller waits for others */
#define SPINS 1000 /* looks before sleep, some 50 us: on a virtual machine waking takes as long */

/* One call of scp_parallel, on the caller's stack. */
struct job {
    scp_task run;
    void *context;
    size_t count;
    atomic_size_t next;     /* the first task nobody has taken */
    atomic_size_t done;     /* tasks that ended well */
    atomic_int stopped;     /* no further task starts: one failed, or the caller asked to stop */
    atomic_int interrupted; /* the caller asked to stop: running tasks may end early too */
    size_t limit;           /* threads that may work on it, the caller included */
    size_t joined;          /* threads that ever did (team.lock) */
    atomic_size_t active;   /* team threads at work on it now (changed under team.lock) */
    enum scp_status status;
    size_t failed; /* lowest failing task (team.lock) */
    unsigned forks;
    struct job *link;
};

static struct scp_team {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct job *jobs; /* oldest first */
    pthread_t threads[SCP_TEAM_MAX];
    size_t started;
    size_t size; /* wanted number of threads, callers included; 0 = not decided */
    int ending;  /* threads are being joined: no new job starts */
    unsigned forks;
} team = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .idle = PTHREAD_COND_INITIALIZER};

static atomic_uint calls; /* grows with every job, so that idle threads need no lock to see one */
static _Thread_local int inside_task;
static _Thread_local struct job *helping; /* on a team thread: the job it works on */
static _Thread_local size_t pinned, pins;

enum scp_status scp_poll(const struct scp_control *control, size_t done, size_t total) {
    if (helping) return atomic_load(&helping->interrupted) ? SCP_EINTERRUPTED : SCP_OK;
    if (!control || !control->poll) return SCP_OK;
    return control->poll(control->data, done, total) ? SCP_EINTERRUPTED : SCP_OK;
}

/* ---- fork: the child has only the forking thread; give it an empty, unlocked team ---- */

static void before_fork(void) {
    pthread_mutex_lock(&team.lock);
}

static void after_fork_parent(void) {
    pthread_mutex_unlock(&team.lock);
}

static void after_fork_child(void) {
    pthread_mutex_init(&team.lock, NULL);
    pthread_cond_init(&team.work, NULL);
    pthread_cond_init(&team.idle, NULL);
    team.jobs = NULL;
    team.started = 0;
    team.ending = 0;
    team.forks++;
}

static void install_fork_handlers(void) {
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* The handlers come before the first lock: no fork ever copies a locked team. */
static void lock_team(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_fork_handlers);
    pthread_mutex_lock(&team.lock);
}

static void unlock_team(void) {
    pthread_mutex_unlock(&team.lock);
}

/* ---- size ---- */

static size_t size_locked(void) {
    if (team.size == 0) team.size = scp_team_default_size();
    return team.size;
}

size_t scp_threads(void) {
    if (pins) return pinned;
    lock_team();
    const size_t size = size_locked();
    unlock_team();
    return size;
}

void scp_threads_pin(void) {
    if (!pins) pinned = scp_threads();
    pins++;
}

void scp_threads_unpin(void) {
    if (pins) pins--;
}

/* ---- work ---- */

/* Ends a job early. Not with the lock held. */
static void stop_job(struct job *job, size_t task, enum scp_status status) {
    lock_team();
    if (job->status == SCP_OK || task < job->failed) {
        job->status = status;
        job->failed = task;
    }
    unlock_team();
    if (status == SCP_EINTERRUPTED) atomic_store(&job->interrupted, 1);
    atomic_store(&job->stopped, 1);
}

static void run_tasks(struct job *job, size_t worker, const struct scp_control *control) {
    inside_task++;
    while (!atomic_load_explicit(&job->stopped, memory_order_relaxed)) {
        const size_t task = atomic_fetch_add(&job->next, 1);
        if (task >= job->count) break;
        const enum scp_status status = job->run(job->context, task, worker);
        if (status != SCP_OK) {
            stop_job(job, task, status);
            break;
        }
        const size_t done = atomic_fetch_add(&job->done, 1) + 1;
        if (scp_poll(control, done, job->count) != SCP_OK)
            stop_job(job, job->count, SCP_EINTERRUPTED);
    }
    inside_task--;
}

static struct job *open_job(void) {
    for (struct job *job = team.jobs; job; job = job->link)
        if (job->joined < job->limit && !atomic_load(&job->stopped) &&
            atomic_load(&job->next) < job->count)
            return job;
    return NULL;
}

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The next job, NULL to end: looked for without the lock for a while before the thread sleeps.
 * Holds the lock on entry and exit. */
static struct job *next_job(void) {
    struct job *job;
    while (!(job = open_job()) && !team.ending) {
        const unsigned seen = atomic_load(&calls);
        unlock_team();
        for (int i = 0; i < SPINS && atomic_load_explicit(&calls, memory_order_relaxed) == seen;
             i++)
            relax();
        lock_team();
        if (!open_job() && !team.ending) pthread_cond_wait(&team.work, &team.lock);
    }
    return job;
}

static void *serve_jobs(void *unused) {
    (void)unused;
    lock_team();
    for (struct job *job; !team.ending && (job = next_job());) {
        const size_t worker = job->joined++;
        job->active++;
        unlock_team();
        helping = job;
        run_tasks(job, worker, NULL);
        helping = NULL;
        lock_team();
        if (--job->active == 0) pthread_cond_broadcast(&team.idle);
    }
    unlock_team();
    return NULL;
}

/* Team threads leave signals to the program's own threads, save those that tell of their own
 * faults or profile them. */
static int start_thread(pthread_t *thread) {
    static const int unblocked[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    pthread_attr_t attributes;
    sigset_t blocked, before;
    if (pthread_attr_init(&attributes) != 0) return 1;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof unblocked / sizeof unblocked[0]; i++)
        sigdelset(&blocked, unblocked[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int failed = pthread_create(thread, &attributes, serve_jobs, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed;
}

/* Starts what is missing of size - 1 threads; fewer than wanted is slower, never wrong. */
static void start_locked(void) {
    while (team.started + 1 < size_locked()) {
        if (start_thread(&team.threads[team.started]) != 0) return;
        team.started++;
    }
}

/* Takes the job off the list, so that nobody joins any more. */
static void unlink_locked(struct job *job) {
    for (struct job **at = &team.jobs; *at; at = &(*at)->link) {
        if (*at != job) continue;
        *at = job->link;
        return;
    }
}

/* Waits for the team threads at work on the job, polling meanwhile. */
static void wait_locked(struct job *job, const struct scp_control *control) {
    while (job->active && team.forks == job->forks) {
        if (!control || !control->poll || atomic_load(&job->interrupted)) {
            pthread_cond_wait(&team.idle, &team.lock);
            continue;
        }
        struct timespec until;
        timespec_get(&until, TIME_UTC);
        until.tv_nsec += POLL_NANOSECONDS;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&team.idle, &team.lock, &until);
        if (!job->active) break;
        unlock_team();
        inside_task++;
        if (scp_poll(control, atomic_load(&job->done), job->count) != SCP_OK)
            stop_job(job, job->count, SCP_EINTERRUPTED);
        inside_task--;
        lock_team();
    }
}

enum scp_status scp_parallel(size_t count, scp_task run, void *context,
                             const struct scp_control *control) {
    struct job job = {.run = run, .context = context, .count = count, .joined = 1};
    if (count == 0) return SCP_OK;
    if (inside_task || count == 1) { /* serial; worker 0 of this call's own scratch */
        run_tasks(&job, 0, control);
        return job.status;
    }
    lock_team();
    while (team.ending) pthread_cond_wait(&team.idle, &team.lock);
    job.forks = team.forks;
    job.limit = size_locked();
    if (pins && pinned < job.limit) job.limit = pinned;
    if (job.limit > 1) start_locked();
    struct job **tail = &team.jobs;
    while (*tail) tail = &(*tail)->link;
    *tail = &job;
    if (job.limit > 1) pthread_cond_broadcast(&team.work);
    unlock_team();
    atomic_fetch_add(&calls, 1);

    run_tasks(&job, 0, control);
    for (int i = 0; i < SPINS && atomic_load_explicit(&job.active, memory_order_relaxed); i++)
        relax();

    lock_team();
    unlink_locked(&job);
    wait_locked(&job, control);
    enum scp_status status = job.status;
    /* A child forked by the caller's poll: tasks that team threads had taken are lost to it. */
    if (team.forks != job.forks && job.joined > 1) status = SCP_ETHREAD;
    pthread_cond_broadcast(&team.idle); /* a resize may wait for the list to empty */
    unlock_team();
    return status;
}

/* Ends all threads; running calls are finished by their callers, new ones wait. Holds the lock on
 * entry and exit. */
static void drain_locked(void) {
    while (team.ending) pthread_cond_wait(&team.idle, &team.lock);
    team.ending = 1;
    pthread_cond_broadcast(&team.work);
    while (team.jobs) pthread_cond_wait(&team.idle, &team.lock);
    const size_t started = team.started;
    unlock_team();
    for (size_t i = 0; i < started; i++) pthread_join(team.threads[i], NULL);
    lock_team();
    team.started = 0;
    team.ending = 0;
    pthread_cond_broadcast(&team.idle);
}

enum scp_status scp_threads_set(size_t count) {
    if (count > SCP_TEAM_MAX || inside_task) return SCP_EINVAL;
    lock_team();
    drain_locked();
    team.size = count;
    unlock_team();
    return SCP_OK;
}

void scp_threads_shutdown(void) {
    if (inside_task) return;
    lock_team();
    drain_locked();
    unlock_team();
}
