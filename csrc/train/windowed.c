/* The objective that the paper's results were made with: negatives from a window, the coarsest
 * level whole, and a handicap for negatives that grows with their distance. */
#include <math.h>

#include "objective.h"

static void around(size_t *first, size_t *end, size_t at, size_t reach, size_t size) {
    *first = at > reach ? at - reach : 0;
    *end = reach < size - at ? at + reach : size;
}

static void window(struct window *w, const struct scp_objective_options *options, size_t level,
                   size_t height, size_t width, size_t row, size_t column) {
    const size_t reach = level == 0 ? SIZE_MAX : options->window;
    around(&w->top, &w->bottom, row, reach, height);
    around(&w->left, &w->right, column, reach, width);
}

static void bias(float *logits, const struct scp_objective_options *options, const struct window *w,
                 size_t y, size_t row, size_t column) {
    const float dy = (float)y - (float)row, dy2 = dy * dy;
    const float slope = options->margin / options->temperature;
    const float limit = options->limit / options->temperature;
    for (size_t x = w->left; x < w->right; x++) {
        const float dx = (float)x - (float)column;
        const float handicap = slope * sqrtf(dx * dx + dy2);
        logits[x - w->left] += handicap < limit ? handicap : limit;
    }
}

const struct objective objective_windowed = {window, bias};
