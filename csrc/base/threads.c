#include "scp/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "quota.h"

#define MAX_THREADS 256

/* One call of scp_parallel, on the caller's stack. */
struct job {
    scp_task run;
    void *context;
    size_t count;
    atomic_size_t next; /* the first task nobody has taken */
    atomic_int stopped; /* a task failed or the caller asked to stop */
    size_t limit;       /* threads that may work on it, the caller included */
    size_t joined;      /* threads that ever did (pool.lock) */
    size_t active;      /* pool threads at work on it now (pool.lock) */
    enum scp_status status;
    size_t failed; /* lowest failing task (pool.lock) */
    struct job *link;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct job *jobs; /* oldest first */
    pthread_t threads[MAX_THREADS];
    size_t started;
    size_t size; /* wanted number of threads, callers included; 0 = not decided */
    int ending;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .idle = PTHREAD_COND_INITIALIZER};

static _Thread_local int inside_task;

enum scp_status scp_poll(const struct scp_control *control, size_t done, size_t total) {
    if (!control || !control->poll) return SCP_OK;
    return control->poll(control->data, done, total) ? SCP_EINTERRUPTED : SCP_OK;
}

/* ---- fork: the child has only the forking thread; give it an empty, unlocked pool ---- */

static void before_fork(void) {
    pthread_mutex_lock(&pool.lock);
}

static void after_fork_parent(void) {
    pthread_mutex_unlock(&pool.lock);
}

static void after_fork_child(void) {
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.idle, NULL);
    pool.jobs = NULL;
    pool.started = 0;
    pool.ending = 0;
}

static void install_fork_handlers(void) {
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* ---- size ---- */

static size_t default_size(void) {
    const char *text = getenv("SCP_NUM_THREADS");
    if (text && *text) {
        char *end;
        const long wish = strtol(text, &end, 10);
        if (*end == 0 && wish >= 1) return wish < MAX_THREADS ? (size_t)wish : MAX_THREADS;
    }
    const size_t quota = scp_cpu_quota();
    return quota < MAX_THREADS ? quota : MAX_THREADS;
}

static size_t size_locked(void) {
    if (pool.size == 0) pool.size = default_size();
    return pool.size;
}

size_t scp_threads(void) {
    pthread_mutex_lock(&pool.lock);
    const size_t size = size_locked();
    pthread_mutex_unlock(&pool.lock);
    return size;
}

/* ---- work ---- */

static void run_tasks(struct job *job, size_t worker, const struct scp_control *control) {
    inside_task++;
    while (!atomic_load_explicit(&job->stopped, memory_order_relaxed)) {
        const size_t task = atomic_fetch_add(&job->next, 1);
        if (task >= job->count) break;
        enum scp_status status = job->run(job->context, task, worker);
        if (status != SCP_OK) {
            pthread_mutex_lock(&pool.lock);
            if (job->status == SCP_OK || task < job->failed) {
                job->status = status;
                job->failed = task;
            }
            pthread_mutex_unlock(&pool.lock);
            atomic_store(&job->stopped, 1);
            break;
        }
        if (control && scp_poll(control, task + 1, job->count) != SCP_OK) {
            pthread_mutex_lock(&pool.lock);
            if (job->status == SCP_OK) {
                job->status = SCP_EINTERRUPTED;
                job->failed = job->count;
            }
            pthread_mutex_unlock(&pool.lock);
            atomic_store(&job->stopped, 1);
        }
    }
    inside_task--;
}

static struct job *open_job(void) {
    for (struct job *job = pool.jobs; job; job = job->link)
        if (job->joined < job->limit && !atomic_load(&job->stopped) &&
            atomic_load(&job->next) < job->count)
            return job;
    return NULL;
}

static void *work(void *unused) {
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    while (!pool.ending) {
        struct job *job = open_job();
        if (!job) {
            pthread_cond_wait(&pool.work, &pool.lock);
            continue;
        }
        const size_t worker = job->joined++;
        job->active++;
        pthread_mutex_unlock(&pool.lock);
        run_tasks(job, worker, NULL);
        pthread_mutex_lock(&pool.lock);
        if (--job->active == 0) pthread_cond_broadcast(&pool.idle);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* Starts what is missing of size - 1 threads; fewer than wanted is slower, never wrong. */
static void start_locked(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_fork_handlers);
    while (pool.started + 1 < size_locked()) {
        if (pthread_create(&pool.threads[pool.started], NULL, work, NULL) != 0) return;
        pool.started++;
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
    pthread_mutex_lock(&pool.lock);
    while (pool.ending) pthread_cond_wait(&pool.idle, &pool.lock);
    job.limit = size_locked();
    if (job.limit > 1) start_locked();
    struct job **tail = &pool.jobs;
    while (*tail) tail = &(*tail)->link;
    *tail = &job;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);

    run_tasks(&job, 0, control);

    pthread_mutex_lock(&pool.lock);
    for (struct job **at = &pool.jobs; *at; at = &(*at)->link) {
        if (*at != &job) continue;
        *at = job.link; /* nobody can join any more */
        break;
    }
    while (job.active) pthread_cond_wait(&pool.idle, &pool.lock);
    const enum scp_status status = job.status;
    pthread_cond_broadcast(&pool.idle); /* a resize may wait for the list to empty */
    pthread_mutex_unlock(&pool.lock);
    return status;
}

/* Waits until no call runs, then ends all threads. Holds the lock on entry and exit. */
static void drain_locked(void) {
    while (pool.ending) pthread_cond_wait(&pool.idle, &pool.lock);
    while (pool.jobs) pthread_cond_wait(&pool.idle, &pool.lock);
    pool.ending = 1;
    pthread_cond_broadcast(&pool.work);
    const size_t started = pool.started;
    pthread_mutex_unlock(&pool.lock);
    for (size_t i = 0; i < started; i++) pthread_join(pool.threads[i], NULL);
    pthread_mutex_lock(&pool.lock);
    pool.started = 0;
    pool.ending = 0;
    pthread_cond_broadcast(&pool.idle);
}

enum scp_status scp_threads_set(size_t count) {
    if (count > MAX_THREADS || inside_task) return SCP_EINVAL;
    pthread_mutex_lock(&pool.lock);
    drain_locked();
    pool.size = count;
    pthread_mutex_unlock(&pool.lock);
    return SCP_OK;
}

void scp_threads_shutdown(void) {
    if (inside_task) return;
    pthread_mutex_lock(&pool.lock);
    drain_locked();
    pthread_mutex_unlock(&pool.lock);
}
