/* What the files of passes share. */
#ifndef SCP_NN_PASS_ROWS_H
#define SCP_NN_PASS_ROWS_H

#include "../kernels/kernels.h"
#include "passes.h"

#define SCP_CHUNK 512 /* pixels whose float32 sums go into one float64 */

static inline size_t scp_pass_chunks(const struct scp_map *map) { /* of an image */
    return (map->height * map->width + SCP_CHUNK - 1) / SCP_CHUNK;
}
static inline float *scp_map_row(const struct scp_map *map, size_t image, size_t y) {
    return map->data + (image * map->height + y) * map->width * map->stride;
}
static inline struct scp_pending scp_pass_of_image(struct scp_pending p, size_t image) {
    const size_t step = image * p.image_step;
    return (struct scp_pending){p.scale + step, p.shift + step, p.slope + step, 0};
}

/* The pending transform, or the identity written to 3 * lanes floats of workspace. */
struct scp_pending scp_pass_identity(float *workspace, const struct scp_pending *pending,
                                     size_t channels);

#endif
