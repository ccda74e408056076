/* Maps read through what their readers apply, in rectangles with a border of zeros. */
#ifndef SCP_NN_SOURCE_H
#define SCP_NN_SOURCE_H

#include "map.h"

/* A rectangle of pixels, which may reach beyond the map, and its channels first .. first +
 * channels - 1: a multiple of 16, or up to the map's last. Whole vectors are written, zeros beyond
 * the channels; exact: not a float more than the channels. Pixels are `apart` (0: 1) from each
 * other in the map, along both axes. */
struct scp_window {
    size_t image;
    ptrdiff_t y, x;
    size_t rows, columns, first, channels;
    int exact;
    size_t apart;
};
/* Writes the window, `pixel` floats from pixel to pixel and `line` from row to row; zeros outside
 * the map, where pixels must be whole vectors, or the channels alone. */
void scp_source_read(float *out, size_t pixel, size_t line, const struct scp_source *source,
                     const struct scp_window *window);
/* Floats from pixel to pixel of a strip of that map. */
static inline size_t scp_source_pixel(const struct scp_map *map) {
    const size_t whole = scp_lanes_up(map->channels);
    return map->stride >= whole ? whole : map->channels;
}
/* The same pixels as one row per image. */
static inline void scp_map_flatten(struct scp_map *map) {
    map->width *= map->height;
    map->height = 1;
}
static inline void scp_source_flatten(struct scp_source *source) {
    scp_map_flatten(&source->map);
    if (source->backward.raw.data) scp_map_flatten(&source->backward.raw);
}
/* sums[channels] += the sums of the source over all pixels. */
enum scp_status scp_source_sums(float *sums, const struct scp_source *source,
                                const struct scp_control *control);

#endif
