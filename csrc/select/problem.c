/* Preparing a problem: roles as lists, the base that every set covers, and the screen, a float32
 * matrix whose plain sums stand for weighted ones. */
#include "problem.h"

#include "heap.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

#define BLOCK 2048     /* clients per task: a row's piece is 8 KiB */
#define MAX_SIZE 1e300 /* of a score: errors and sums of scores stay finite */

/* Position of the first value that is NaN or infinite; count when there is none. */
static size_t find_nonfinite(const float *values, size_t count) {
    for (size_t at = 0; at < count; at += BLOCK) {
        const size_t end = count - at < BLOCK ? count : at + BLOCK;
        uint32_t bad = 0;
        for (size_t i = at; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, values + i, sizeof bits);
            bad |= (bits & 0x7f800000u) == 0x7f800000u;
        }
        for (size_t i = at; bad && i < end; i++)
            if (!isfinite(values[i])) return i;
    }
    return count;
}

struct scan_job {
    struct scp_select *p;
    float *high; /* [q] largest |value| */
    const double *factor;
};

/* Checks one block of clients, and finds its base and the largest magnitude. */
static enum scp_status scan_block(void *context, size_t task, size_t worker) {
    const struct scan_job *job = context;
    struct scp_select *p = job->p;
    const struct scp_select_input *in = &p->in;
    const struct scp_kernels *kernels = scp_kernels();
    const size_t at = task * BLOCK, size = in->q - at < BLOCK ? in->q - at : BLOCK;
    float *base = p->base + at, *high = job->high + at, *floor = p->floor + at;
    (void)worker;
    for (size_t i = 0; i < size; i++) base[i] = INFINITY, high[i] = 0;
    for (size_t t = 0; t < in->n; t++) {
        const float *row = in->values + t * in->q + at;
        if (find_nonfinite(row, size) < size) return SCP_EINVAL;
        if (in->roles[t] != SCP_EXCLUDE) kernels->coverage.range(base, high, row, size);
    }
    for (size_t k = 0; k < p->n_initial; k++) {
        const float *row = in->values + p->initial[k] * in->q + at;
        if (k == 0) memcpy(base, row, size * sizeof *base);
        kernels->coverage.best(base, row, size);
    }
    for (size_t i = 0; i < size; i++)
        if (base[i] == INFINITY) base[i] = 0; /* every row is excluded */
    memcpy(floor, base, size * sizeof *floor);
    for (size_t k = 0; k < p->n_included; k++)
        kernels->coverage.best(floor, in->values + p->included[k] * in->q + at, size);
    return SCP_OK;
}

/* Rows 0 .. n-1, then base and floor. */
static enum scp_status screen_row(void *context, size_t t, size_t worker) {
    const struct scan_job *job = context;
    struct scp_select *p = job->p;
    const float *row = p->in.values + t * p->in.q;
    float *out = p->screen_owned + t * p->in.q;
    (void)worker;
    if (t >= p->in.n) {
        row = t == p->in.n ? p->base : p->floor;
        out = t == p->in.n ? p->screen_base_owned : p->screen_floor_owned;
    }
    for (size_t i = 0; i < p->in.q; i++) out[i] = (float)((double)row[i] * job->factor[i]);
    return SCP_OK;
}

/* screen = values when weights are equal and magnitudes ordinary, else a scaled copy. */
static enum scp_status make_screen(struct scp_select *p, const float *high) {
    const struct scp_select_input *in = &p->in;
    enum scp_status status = SCP_ENOMEM;
    double heaviest = 0, largest = 0;
    int equal = 1;
    for (size_t q = 0; q < in->q; q++) {
        heaviest = in->weights[q] > heaviest ? in->weights[q] : heaviest;
        largest = high[q] > largest ? high[q] : largest;
        equal &= in->weights[q] == in->weights[0];
    }
    p->screen = in->values;
    p->screen_base = p->base;
    p->screen_floor = p->floor;
    p->scale = heaviest;
    p->screen_error = p->score_error;
    if (heaviest == 0 || (equal && (largest == 0 || (largest < 1e25 && largest > 1e-25))))
        return SCP_OK;
    int exponent = 0; /* brings the largest magnitude near 1 */
    if (largest > 0) frexp(largest, &exponent);
    size_t cells;
    if (scp_size_mul(in->n, in->q, &cells)) return SCP_ENOMEM;
    double *factor = scp_alloc(in->q, sizeof *factor);
    p->screen_owned = scp_alloc(cells, sizeof(float));
    p->screen_base_owned = scp_alloc(in->q, sizeof(float));
    p->screen_floor_owned = scp_alloc(in->q, sizeof(float));
    if (!factor || !p->screen_owned || !p->screen_base_owned || !p->screen_floor_owned) goto out;
    for (size_t q = 0; q < in->q; q++) factor[q] = ldexp(in->weights[q] / heaviest, -exponent);
    p->scale = ldexp(heaviest, exponent);
    p->screen = p->screen_owned;
    p->screen_base = p->screen_base_owned;
    p->screen_floor = p->screen_floor_owned;
    p->screen_error += p->size * 0x1p-23 + (double)in->q * p->scale * 0x1p-148;
    struct scan_job job = {.p = p, .factor = factor};
    status = scp_parallel(in->n + 2, screen_row, &job, NULL);
out:
    scp_free(factor);
    return status;
}

/* What is trusted later, or decides how much memory an answer takes, is copied: a caller may change
 * its arrays. */
static enum scp_status copy_input(struct scp_select *p) {
    struct scp_select_input *in = &p->in;
    size_t numbers;
    if (in->n > SIZE_MAX / 2 - in->q) return SCP_ENOMEM;
    numbers = in->q + 2 * in->n; /* weights, costs, groups and roles */
    double *to = p->copies = scp_alloc(numbers, sizeof *to);
    if (!to) return SCP_ENOMEM;
    in->weights = memcpy(to, in->weights, in->q * sizeof *to);
    to += in->q;
    if (in->costs) in->costs = memcpy(to, in->costs, in->n * sizeof *to);
    uint32_t *groups = (uint32_t *)(to + in->n);
    uint8_t *roles = memcpy(groups + in->n, in->roles, in->n);
    if (in->groups) in->groups = memcpy(groups, in->groups, in->n * sizeof *groups);
    in->roles = roles;
    return SCP_OK;
}

/* The first number that is not finite and >= 0; count when there is none. */
static size_t find_bad(const double *numbers, size_t count) {
    size_t i = 0;
    while (i < count && numbers[i] >= 0 && numbers[i] < INFINITY) i++;
    return i;
}

static enum scp_status check_numbers(const struct scp_select_input *in,
                                     const struct scp_control *control) {
    static const char rule[] = "must be a finite number >= 0";
    size_t bad = find_bad(in->weights, in->q);
    if (bad < in->q) return scp_invalid(control, "weights", bad, rule);
    bad = in->costs ? find_bad(in->costs, in->n) : in->n;
    if (bad < in->n) return scp_invalid(control, "costs", bad, rule);
    if (isnan(in->budget)) return scp_invalid(control, "budget", SCP_WHOLE, "must be a number");
    if (isnan(in->min_distance))
        return scp_invalid(control, "min_distance", SCP_WHOLE, "must be a number");
    return SCP_OK;
}

static enum scp_status sort_by_cost(struct scp_select *p) {
    const size_t n = p->n_candidates;
    memcpy(p->by_cost, p->candidates, n * sizeof *p->by_cost);
    if (!p->in.costs) return SCP_OK;
    double *key = scp_alloc(n, sizeof *key);
    if (!key) return SCP_ENOMEM;
    for (size_t i = 0; i < n; i++) key[i] = -p->in.costs[p->candidates[i]];
    scp_sort_keys(p->by_cost, n, key, n);
    for (size_t i = 0; i < n; i++) p->by_cost[i] = p->candidates[p->by_cost[i]];
    scp_free(key);
    return SCP_OK;
}

static enum scp_status list_roles(struct scp_select *p, const struct scp_control *control) {
    const struct scp_select_input *in = &p->in;
    p->candidates = scp_alloc(in->n, sizeof(uint32_t));
    p->by_cost = scp_alloc(in->n, sizeof(uint32_t));
    p->included = scp_alloc(in->n, sizeof(uint32_t));
    p->open = scp_alloc(in->n, sizeof(uint32_t));
    p->initial = scp_alloc(in->n, sizeof(uint32_t));
    p->quota_left = scp_alloc(in->n, sizeof(uint32_t));
    if (!p->candidates || !p->by_cost || !p->included || !p->open || !p->initial || !p->quota_left)
        return SCP_ENOMEM;
    const size_t quota = in->quota < in->n ? in->quota : in->n;
    for (size_t g = 0; g < in->n; g++) p->quota_left[g] = (uint32_t)quota;
    for (uint32_t t = 0; t < in->n; t++) {
        if (in->roles[t] > SCP_EXCLUDE)
            return scp_invalid(control, "roles", t, "must be a role, from 0 to 3");
        if (in->groups && in->groups[t] >= in->n)
            return scp_invalid(control, "groups", t, "must be below the number of rows");
        if (in->roles[t] == SCP_INCLUDE) p->included[p->n_included++] = t;
        if (in->roles[t] == SCP_INITIAL) p->initial[p->n_initial++] = t;
        if (in->roles[t] == SCP_FREE) p->open[p->n_open++] = t;
        if (in->roles[t] == SCP_FREE || in->roles[t] == SCP_INCLUDE)
            p->candidates[p->n_candidates++] = t;
        if (in->roles[t] == SCP_INITIAL && in->groups && p->quota_left[in->groups[t]] > 0)
            p->quota_left[in->groups[t]]--;
    }
    return sort_by_cost(p);
}

/* Sizes that no score exceeds, and how far rounding goes. */
static enum scp_status measure(struct scp_select *p, const float *high,
                               const struct scp_control *control) {
    double sum = 0;
    for (size_t q = 0; q < p->in.q; q++) {
        sum += p->in.weights[q];
        p->size += p->in.weights[q] * (double)high[q];
    }
    if (!(sum > 0)) return scp_invalid(control, "weights", SCP_WHOLE, "must not all be 0");
    if (!(sum < MAX_SIZE && p->size < MAX_SIZE))
        return scp_invalid(control, "weights", SCP_WHOLE, "must be smaller: their sum overflows");
    p->score_error = ((double)p->in.q / 8 + 16) * 0x1p-53 * p->size;
    return SCP_OK;
}

enum scp_status scp_select_create(struct scp_select **out, const struct scp_select_input *input,
                                  const struct scp_control *control) {
    *out = NULL;
    if (input->n == 0 || input->q == 0 || input->n >= UINT32_MAX)
        return scp_invalid(control, "values", SCP_SHAPE,
                           "must have 1 to 2^32 - 2 rows and a column");
    enum scp_status status = SCP_ENOMEM;
    struct scan_job job = {0};
    struct scp_select *p = scp_calloc(1, sizeof *p);
    if (!p) return SCP_ENOMEM;
    p->in = *input;
    p->budget = input->budget + 1e-9 * fabs(input->budget);
    status = copy_input(p);
    if (status == SCP_OK) status = check_numbers(&p->in, control);
    if (status == SCP_OK) status = list_roles(p, control);
    if (status != SCP_OK) goto fail;
    status = SCP_ENOMEM;
    p->base = scp_alloc(input->q, sizeof(float));
    p->floor = scp_alloc(input->q, sizeof(float));
    job.high = scp_alloc(input->q, sizeof(float));
    if (!p->base || !p->floor || !job.high) goto fail;
    job.p = p;
    status = scp_parallel((input->q + BLOCK - 1) / BLOCK, scan_block, &job, NULL);
    if (status == SCP_EINVAL)
        scp_invalid(control, "values", find_nonfinite(input->values, input->n * input->q),
                    "must be a finite number");
    if (status != SCP_OK) goto fail;
    status = measure(p, job.high, control);
    if (status == SCP_OK) status = make_screen(p, job.high);
    if (status != SCP_OK) goto fail;
    scp_free(job.high);
    *out = p;
    return SCP_OK;
fail:
    scp_free(job.high);
    scp_select_free(p);
    return status;
}

enum scp_status scp_select_check(const struct scp_select *p, size_t m, const uint32_t *set,
                                 size_t count, int start, const struct scp_control *control) {
    if (m != SCP_SELECT_ANY && m > p->in.n)
        return scp_invalid(control, "m", SCP_WHOLE, "must be at most the number of rows");
    if (count > p->in.n)
        return scp_invalid(control, "set", SCP_SHAPE, "must be no longer than the number of rows");
    uint8_t *seen = scp_calloc(p->in.n, 1);
    if (!seen) return SCP_ENOMEM;
    size_t i = 0;
    while (i < count && set[i] < p->in.n && !seen[set[i]]) seen[set[i++]] = 1;
    scp_free(seen);
    if (i < count)
        return scp_invalid(control, "set", i,
                           "must hold different numbers below the number of rows");
    if (!start) return SCP_OK;
    if (m != SCP_SELECT_ANY && count != m)
        return scp_invalid(control, "set", SCP_SHAPE, "must have m rows");
    if (!scp_select_violates(p, set, count)) return SCP_OK;
    return scp_invalid(control, "set", SCP_SHAPE, "must keep the rules of the problem");
}

enum scp_status scp_select_attach(struct scp_select *p, int device) {
    const struct scp_cuda_table *cuda = scp_cuda();
    if (!cuda) return SCP_EUNSUPPORTED;
    const struct scp_cuda_problem problem = {p->in.values, p->screen, p->in.weights,
                                             p->base,      p->in.n,   p->in.q};
    struct scp_cuda_selection *selection;
    const enum scp_status status = cuda->selection_open(&selection, device, &problem);
    if (status != SCP_OK) return status;
    if (p->device) p->cuda->selection_close(p->device);
    p->cuda = cuda;
    p->device = selection;
    return SCP_OK;
}

void scp_select_free(struct scp_select *p) {
    if (!p) return;
    if (p->device) p->cuda->selection_close(p->device);
    scp_free(p->copies);
    scp_free(p->candidates);
    scp_free(p->by_cost);
    scp_free(p->included);
    scp_free(p->open);
    scp_free(p->initial);
    scp_free(p->quota_left);
    scp_free(p->base);
    scp_free(p->floor);
    scp_free(p->screen_floor_owned);
    scp_free(p->screen_owned);
    scp_free(p->screen_base_owned);
    scp_free(p);
}
