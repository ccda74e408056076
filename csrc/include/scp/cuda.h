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

#define SCP_CUDA_ABI 2u

struct scp_cuda_device {
    char name[128];
    int major, minor; /* compute capability */
    int processors;
    size_t memory; /* bytes */
};

struct scp_cuda_matcher;   /* queries that wait for images */
struct scp_cuda_selection; /* a selection problem on a device */

/* A selection problem (scp/select.h) as the device needs it; all arrays are copied. */
struct scp_cuda_problem {
    const float *values;   /* [n][q] */
    const float *screen;   /* [n][q]; the same pointer where it is the same matrix */
    const double *weights; /* [q] */
    const float *base;     /* [q] */
    size_t n, q;
};

/* Queries (scp/match.h): vectors[count][D][C] and norms[count][D], borrowed. */
struct scp_cuda_queries {
    const float *vectors, *norms;
    size_t count;
};

/* Draws first .. first + count - 1: the included rows and scp_rng_subset of m - n_included rows of
 * open, draw i from stream i of the seed. */
struct scp_cuda_draws {
    const uint32_t *open, *included;
    size_t n_open, n_included, m;
    uint64_t seed, first;
    size_t count;
};

/* Clients listed slot by slot, start[k] .. start[k + 1] of each array, with what an exchange needs
 * of them (kernels.h, coverage_exchange). */
struct scp_cuda_clients {
    const size_t *start; /* [n_slots + 1] */
    size_t n_slots;
    const uint32_t *client;
    const float *d1, *d2;
    const double *weight;
};

/* All sets of 2 <= m <= 5 of rows[n] (by falling rho) with sum rho >= min_sum, `room` at a time. */
struct scp_cuda_enumeration {
    const uint32_t *rows;
    const double *rho;
    size_t n, m;
    double min_sum;
    size_t room;
};

struct scp_cuda_table {
    uint32_t abi, bytes; /* SCP_CUDA_ABI, sizeof(struct scp_cuda_table) */

    /* Number of usable devices. When it is 0 the answer is the reason, else NULL. */
    const char *(*devices)(int *count);
    enum scp_status (*describe)(struct scp_cuda_device *out, int device);
    /* What went wrong in this thread's last call that returned SCP_EUNSUPPORTED. */
    const char *(*error)(void);

    /* ---- similarity: scp_match for many images. The arrays of `queries` are borrowed until close;
     * options->path is not looked at. max_memory: bytes on the device, at most; queries are taken
     * in tiles where they do not fit (SCP_ENOMEM: not even the smallest tile does). ---- */
    enum scp_status (*matcher_open)(struct scp_cuda_matcher **out, int device,
                                    const struct scp_grid *grid,
                                    const struct scp_cuda_queries *queries,
                                    const struct scp_match_options *options, size_t max_memory);
    /* value[n_images][queries], index[n_images][queries]; features[i], norms[i]: image i. */
    enum scp_status (*matcher_run)(struct scp_cuda_matcher *matcher, float *value, int32_t *index,
                                   const float *const *features, const float *const *norms,
                                   size_t n_images, const struct scp_control *control);
    void (*matcher_close)(struct scp_cuda_matcher *matcher);

    /* ---- selection ---- */
    enum scp_status (*selection_open)(struct scp_cuda_selection **out, int device,
                                      const struct scp_cuda_problem *problem);
    void (*selection_close)(struct scp_cuda_selection *selection);
    /* scores[i] = score of sets[i][width] (scp_select_score). */
    enum scp_status (*score_sets)(struct scp_cuda_selection *selection, double *scores,
                                  const uint32_t *sets, size_t width, size_t n_sets);
    /* scores[i] = score of draw first + i. */
    enum scp_status (*score_draws)(struct scp_cuda_selection *selection, double *scores,
                                   const struct scp_cuda_draws *draws);
    /* scores[i] = score where best[q] and rows[i] cover. */
    enum scp_status (*score_rows)(struct scp_cuda_selection *selection, double *scores,
                                  const float *best, const uint32_t *rows, size_t n_rows);
    /* gain[i] += sign * G and keep[i][k] += sign * K over the clients of slot k, slot after slot.
     */
    enum scp_status (*exchange)(struct scp_cuda_selection *selection, double *gain, double *keep,
                                double sign, const uint32_t *rows, size_t n_rows,
                                const struct scp_cuda_clients *clients);
    /* The subgradient ascent of scp_select_bound: multipliers and direction stay on the device. */
    enum scp_status (*ascent_begin)(struct scp_cuda_selection *selection, const float *lambda,
                                    const float *floor, const uint32_t *rows, size_t n_rows);
    /* rho[i] = sum_q max(screen[rows[i]][q] - lambda[q], 0), *sum = sum_q lambda[q]. */
    enum scp_status (*ascent_excess)(struct scp_cuda_selection *selection, double *rho,
                                     double *sum);
    /* One iteration against the rows rows[chosen[i]]; *zero: the subgradient is zero. */
    enum scp_status (*ascent_move)(struct scp_cuda_selection *selection, int *zero,
                                   const uint32_t *chosen, size_t n_chosen, double gap,
                                   float memory);
    enum scp_status (*ascent_read)(struct scp_cuda_selection *selection, float *lambda);
    /* Sets of an enumeration and their scores: those whose first two rows come at or after *pair
     * (i * n + j), as many pairs as fit `room` sets; *pair becomes the next one (n * n: all done).
     * SCP_ENOMEM: a single pair does not fit.
     */
    enum scp_status (*enumerate)(struct scp_cuda_selection *selection, uint32_t *sets,
                                 double *scores, size_t *found, size_t *pair,
                                 const struct scp_cuda_enumeration *range);
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

/* ---- csrc/match/device.c: similarity on a device, by the plug-in that is open ---- */

struct scp_device_matcher;

/* As the table's functions; what is wrong is named. SCP_EUNSUPPORTED: no plug-in is open, or the
 * device failed. The matcher keeps to its plug-in, whatever is opened later. */
enum scp_status scp_device_matcher_create(struct scp_device_matcher **out, int device,
                                          const struct scp_grid *grid,
                                          const struct scp_cuda_queries *queries,
                                          const struct scp_match_options *options,
                                          size_t max_memory, const struct scp_control *control);
enum scp_status scp_device_matcher_run(struct scp_device_matcher *matcher, float *value,
                                       int32_t *index, const float *const *features,
                                       const float *const *norms, size_t n_images,
                                       const struct scp_control *control);
void scp_device_matcher_free(struct scp_device_matcher *matcher); /* NULL: nothing */

#ifdef __cplusplus
}
#endif

#endif
