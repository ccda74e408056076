/* The CUDA plug-in: libscp_cuda.so, opened on first use, reached through one table of functions.
 *
 * The core never links it and never needs a GPU: scp_cuda_open tries, scp_cuda gives the table or
 * NULL, scp_cuda_reason says why not. No CUDA type appears here; handles are opaque. The functions
 * of the table return enum scp_status; SCP_EUNSUPPORTED means that the device or its driver failed
 * (scp_cuda_table.error says how, in the same thread) or cannot do this size. Every function gives
 * the bits that the CPU gives. A handle serves one thread at a time. */
#ifndef SCP_CUDA_H
#define SCP_CUDA_H

#include <stddef.h>
#include <stdint.h>

#include "scp/match.h"
#include "scp/status.h"
#include "scp/threads.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SCP_CUDA_ABI 1u

struct scp_cuda_device {
    char name[128];
    int major, minor; /* compute capability */
    int processors;
    size_t memory; /* bytes */
};

struct scp_cuda_matcher; /* queries that wait for images */
struct scp_cuda_search;  /* a selection problem on a device */

/* A selection problem (scp/select.h) as the device needs it; all arrays are copied. */
struct scp_cuda_problem {
    const float *values;   /* [n][q] */
    const float *screen;   /* [n][q]; the same pointer where it is the same matrix */
    const double *weights; /* [q] */
    const float *base;     /* [q] */
    size_t n, q;
};

struct scp_cuda_table {
    uint32_t abi, bytes; /* SCP_CUDA_ABI, sizeof(struct scp_cuda_table) */

    /* Number of usable devices. When it is 0 the answer is the reason, else NULL. */
    const char *(*devices)(int *count);
    enum scp_status (*describe)(struct scp_cuda_device *out, int device);
    /* What went wrong in this thread's last call that returned SCP_EUNSUPPORTED. */
    const char *(*error)(void);

    /* ---- similarity: scp_match for many images. queries[n][D][C] and query_norms[n][D] are
     * borrowed until close. max_memory: bytes on the device, at most; queries are taken in tiles
     * where they do not fit (SCP_ENOMEM: not even the smallest tile does). ---- */
    enum scp_status (*matcher_open)(struct scp_cuda_matcher **out, int device,
                                    const struct scp_grid *grid, const float *queries,
                                    const float *query_norms, size_t n_queries,
                                    enum scp_match_mode mode, float epsilon, size_t max_memory);
    /* value[n_images][n_queries], index[n_images][n_queries]; features[i], norms[i]: image i. */
    enum scp_status (*matcher_run)(struct scp_cuda_matcher *matcher, float *value, int32_t *index,
                                   const float *const *features, const float *const *norms,
                                   size_t n_images, const struct scp_control *control);
    void (*matcher_close)(struct scp_cuda_matcher *matcher);

    /* ---- selection ---- */
    enum scp_status (*search_open)(struct scp_cuda_search **out, int device,
                                   const struct scp_cuda_problem *problem);
    void (*search_close)(struct scp_cuda_search *search);
    /* scores[i] = score of sets[i][width] (scp_select_score). */
    enum scp_status (*score_sets)(struct scp_cuda_search *search, double *scores,
                                  const uint32_t *sets, size_t width, size_t n_sets);
    /* scores[i] = score of included[n_included] and draw first + i: scp_rng_subset of m -
     * n_included rows of open[n_open], stream first + i of seed. */
    enum scp_status (*score_draws)(struct scp_cuda_search *search, double *scores,
                                   const uint32_t *open, size_t n_open, const uint32_t *included,
                                   size_t n_included, size_t m, uint64_t seed, uint64_t first,
                                   size_t n_draws);
    /* scores[i] = score where best[q] and rows[i] cover. */
    enum scp_status (*score_rows)(struct scp_cuda_search *search, double *scores, const float *best,
                                  const uint32_t *rows, size_t n_rows);
    /* gain[i] += sign * G and keep[i][k] += sign * K over the clients of slot k, start[k] ..
     * start[k+1] of client, d1, d2, weight (kernels.h, coverage_exchange), slot after slot. */
    enum scp_status (*exchange)(struct scp_cuda_search *search, double *gain, double *keep,
                                double sign, const uint32_t *rows, size_t n_rows,
                                const size_t *start, size_t n_slots, const uint32_t *client,
                                const float *d1, const float *d2, const double *weight);
    /* The subgradient ascent of scp_select_bound: multipliers and direction stay on the device. */
    enum scp_status (*ascent_begin)(struct scp_cuda_search *search, const float *lambda,
                                    const float *floor, const uint32_t *rows, size_t n_rows);
    /* rho[i] = sum_q max(screen[rows[i]][q] - lambda[q], 0), *sum = sum_q lambda[q]. */
    enum scp_status (*ascent_excess)(struct scp_cuda_search *search, double *rho, double *sum);
    /* One step against the rows rows[chosen[i]]; *zero: the subgradient is zero. */
    enum scp_status (*ascent_move)(struct scp_cuda_search *search, int *zero,
                                   const uint32_t *chosen, size_t n_chosen, double gap,
                                   float memory);
    enum scp_status (*ascent_read)(struct scp_cuda_search *search, float *lambda);
    /* All sets of 2 <= m <= 5 of rows[n] (by falling rho) with sum rho >= least, and their scores:
     * those whose first two rows come at or after *pair (i * n + j), as many pairs as fit `room`
     * sets; *pair becomes the next one (n * n: all done). SCP_ENOMEM: a single pair does not fit.
     */
    enum scp_status (*enumerate)(struct scp_cuda_search *search, uint32_t *sets, double *scores,
                                 size_t *found, size_t *pair, const uint32_t *rows,
                                 const double *rho, size_t n, size_t m, double least, size_t room);
};

/* What the plug-in exports: the table, or NULL when it does not know that version. */
typedef const struct scp_cuda_table *(*scp_cuda_entry)(uint32_t abi);
#define SCP_CUDA_SYMBOL "scp_cuda_plugin"

/* ---- csrc/cuda/open.c ---- */

/* Opens the library at `path`; a second call with another path replaces the table for later calls
 * (the first library stays loaded). SCP_EUNSUPPORTED: see scp_cuda_reason. */
enum scp_status scp_cuda_open(const char *path);

/* The table, or NULL when none is open. */
const struct scp_cuda_table *scp_cuda(void);

/* Why this thread's last scp_cuda_open failed; static storage of the thread. */
const char *scp_cuda_reason(void);

#ifdef __cplusplus
}
#endif

#endif
