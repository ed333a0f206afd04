"""Topics: groups of like texts, found without any label, each of which can be watched like a segment that somebody named.

Two kinds. *Clusters* (k-means on hashed words and runs of letters, weighted by rarity, projected on their main directions) divide the
texts, on three scales. *Word topics* are all texts with a certain word. An intent that nobody labelled is seldom one cluster, and seldom
one word, but seldom escapes all of them: one scale alone, or no words, takes days longer to show a loss (benchmarks/detection/hidden_slice.py).

What makes topics fit for sequential tests: they are found from texts alone, never from how answers were judged, and from texts
that were known when they were found. Later texts are assigned, and never move a topic. Texts unlike all of that time stay
outside; enough of them make a new generation of topics, which changes nothing of the earlier ones.

References:
    Deerwester et al. (1990), Indexing by latent semantic analysis, JASIS 41. Halko, Martinsson, Tropp (2011), Finding structure with
    randomness, SIAM Review 53 (algorithm 4.4). Dhillon and Modha (2001), Concept decompositions for large sparse text data using
    clustering, Machine Learning 42 (spherical k-means). Arthur and Vassilvitskii (2007), k-means++.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from undertow.slices.sketch import BUCKETS, WORD_BUCKETS, Sketch

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """How topics are found.

    Attributes:
        most_clusters: Most clusters on the finest scale; each further scale has half as many.
        scales: Number of scales.
        texts_per_cluster: Texts asked for a cluster of the finest scale, on average.
        directions: Main directions that texts are projected on.
        most_words: Most word topics, most frequent words first.
        word_share: A word topic's word is in at least and at most these shares of the texts.
        word_information: What a word must tell of the cluster that a text is in, in nats: words that stand anywhere are no topic.
        outside_quantile: Distances beyond this quantile of the texts' own count as outside.
        rounds, tries: Iterations of k-means, and starts of which the best is kept.
    """

    most_clusters: int = 40
    scales: int = 3
    texts_per_cluster: int = 40
    directions: int = 100
    most_words: int = 120
    word_share: tuple[float, float] = (0.01, 0.15)
    word_information: float = 1.0
    outside_quantile: float = 0.99
    rounds: int = 25
    tries: int = 3


@dataclass(frozen=True, slots=True)
class Assignment:
    """Topics of some texts.

    Attributes:
        members: Whether a text is in each topic: clusters, finest scale first, then words. Shape (n, topics).
        distance: 1 - cosine to the nearest centre of the finest scale, in [0, 2]: how new a text is. Shape (n,).
        is_outside: Whether a text is unlike those the topics were found from: then it is in no cluster. Shape (n,).
    """

    members: BoolArray
    distance: FloatArray
    is_outside: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class TopicModel:
    """Topics as found. Everything later depends on these arrays alone.

    Attributes:
        rarity: Weight of each bucket; 0 for those hardly ever seen. Shape (BUCKETS,), or empty for embeddings.
        directions: Projection of weighted sketches. Shape (BUCKETS, D), or empty for embeddings.
        centres: Unit vectors, by scale, the finest first. Shapes (K, D).
        reach: Distance beyond which a text is outside.
        words: Buckets of the word topics. Shape (W,).
    """

    rarity: FloatArray
    directions: FloatArray
    centres: tuple[FloatArray, ...]
    reach: float
    words: IntArray

    @property
    def clusters(self) -> int:
        """Number of clusters on all scales."""
        return sum(len(each) for each in self.centres)

    @property
    def topics(self) -> int:
        """Number of topics: clusters, then words."""
        return self.clusters + len(self.words)

    def assign(self, sketches: Sequence[Sketch], embeddings: FloatArray | None = None) -> Assignment:
        """Topics of texts.

        Args:
            sketches: The texts' sketches.
            embeddings: Their vectors, if the topics were found from vectors. Shape (n, D).
        """
        if embeddings is None:
            return self._assign_distinct(sketches)
        return self._assign(sketches, embeddings)

    def _assign_distinct(self, sketches: Sequence[Sketch]) -> Assignment:
        """Each sketch is looked at once: people ask the same again and again."""
        distinct = {each: at for at, each in enumerate(dict.fromkeys(sketches))}
        at = np.fromiter((distinct[each] for each in sketches), dtype=np.int64, count=len(sketches))
        found = self._assign(tuple(distinct), None)
        return Assignment(found.members[at], found.distance[at], found.is_outside[at])

    def _assign(self, sketches: Sequence[Sketch], embeddings: FloatArray | None) -> Assignment:
        seen = sketch_matrix(sketches)
        vectors = self._project(seen) if embeddings is None else _unit(np.asarray(embeddings, dtype=np.float64))
        has_word = np.asarray(sparse.csr_array(seen[:, self.words]).toarray() > 0.0, dtype=np.bool_)
        if not self.centres:
            return Assignment(has_word, np.ones(len(vectors)), np.ones(len(vectors), dtype=np.bool_))
        cosine = [vectors @ centres.T for centres in self.centres]
        distance = 1.0 - cosine[0].max(axis=1)
        is_outside = distance > self.reach
        inside = [(each.argmax(axis=1)[:, None] == np.arange(each.shape[1])) & ~is_outside[:, None] for each in cosine]
        return Assignment(np.concatenate([*inside, has_word], axis=1), distance, is_outside)

    def _project(self, seen: sparse.csr_array) -> FloatArray:
        return _unit(np.asarray(_scaled(seen, self.rarity) @ self.directions))


def find_topics(
    sketches: Sequence[Sketch],
    seed: int,
    embeddings: FloatArray | None = None,
    options: TopicOptions | None = None,
) -> TopicModel:
    """Topics of some texts.

    The same texts in any order give the same topics: they are sorted first.

    Args:
        sketches: The texts' sketches.
        seed: Of the projection and of k-means.
        embeddings: Vectors of the texts, to be clustered instead of the sketches. Shape (n, D).
        options: See `TopicOptions`.

    Returns:
        The topics; without any cluster where there are fewer than two `texts_per_cluster`.

    Examples:
        >>> from undertow.slices.sketch import sketch
        >>> texts = [f"where is my {thing}" for thing in ("card", "parcel")] * 40 + ["cancel the yearly plan"] * 40
        >>> found = find_topics([sketch(text) for text in texts], seed=1)
        >>> places = found.assign([sketch("the yearly plan: cancel it"), sketch("cancel the yearly plan"), sketch("bonjour")])
        >>> bool((places.members[0] == places.members[1]).all()), places.is_outside.tolist()
        (True, [False, False, True])
    """
    options = options or TopicOptions()
    order = sorted(range(len(sketches)), key=lambda at: (sketches[at], _key(embeddings, at)))
    ordered = [sketches[at] for at in order]
    rng = np.random.default_rng(seed)
    seen = sketch_matrix(ordered)
    counts = np.asarray(seen.sum(axis=0)).ravel()
    if embeddings is not None:
        vectors = _unit(np.asarray(embeddings, dtype=np.float64)[order])
        rarity, directions = np.zeros(0), np.zeros((0, 0))
    else:
        rarity = np.where(counts >= 3, np.log((len(ordered) + 1.0) / (counts + 1.0)), 0.0)
        weighted = _scaled(seen, rarity)
        norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        scaled = sparse.csr_array(sparse.diags_array(1.0 / np.where(norm > 0.0, norm, 1.0)) @ weighted)
        directions = _main_directions(scaled, options.directions, rng)
        vectors = _unit(np.asarray(weighted @ directions))
    usable = np.linalg.norm(vectors, axis=1) > 0.0
    clusters = min(options.most_clusters, int(usable.sum()) // options.texts_per_cluster)
    if clusters < 2:
        return TopicModel(rarity, directions, (), 0.0, np.zeros(0, dtype=np.int64))
    sizes = [size for scale in range(options.scales) if (size := clusters >> scale) >= 2]
    centres = tuple(_spherical_kmeans(vectors[usable], size, rng, options) for size in sizes)
    cosine = vectors[usable] @ centres[0].T
    own = 1.0 - cosine.max(axis=1)
    words = _telling_words(sparse.csr_array(seen[np.flatnonzero(usable)]), cosine.argmax(axis=1), len(ordered), options)
    return TopicModel(rarity, directions, centres, float(np.quantile(own, options.outside_quantile)) + 1e-9, words)


def sketch_matrix(sketches: Sequence[Sketch]) -> sparse.csr_array:
    """Sketches as rows of zeros and ones. Shape (n, BUCKETS).

    Examples:
        >>> from undertow.slices.sketch import sketch
        >>> sketch_matrix([sketch("card"), ()]).sum(axis=1).tolist()
        [4.0, 0.0]
    """
    lengths = np.fromiter((len(each) for each in sketches), dtype=np.int64, count=len(sketches))
    ends = np.concatenate([[0], np.cumsum(lengths)])
    columns: npt.NDArray[np.int64] = np.fromiter(
        (bucket for each in sketches for bucket in each), dtype=np.int64, count=int(ends[-1])
    )
    return sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(sketches), BUCKETS))


def _scaled(rows: sparse.csr_array, weight: FloatArray) -> sparse.csr_array:
    """Columns times weights."""
    return sparse.csr_array(rows @ sparse.diags_array(weight))


def _key(embeddings: FloatArray | None, at: int) -> tuple[float, ...]:
    return () if embeddings is None else tuple(np.asarray(embeddings[at]).tolist())


def _telling_words(seen: sparse.csr_array, cluster: IntArray, n: int, options: TopicOptions) -> IntArray:
    """Buckets of words that are frequent enough and are mostly said in few clusters; the most frequent, in order. Shape (W,)."""
    low, high = options.word_share
    clusters = int(cluster.max()) + 1
    member = sparse.csr_array(
        (np.ones(len(cluster)), (cluster, np.arange(len(cluster)))), shape=(clusters, len(cluster))
    )
    table = sparse.csr_array(member @ sparse.csr_array(seen[:, np.arange(WORD_BUCKETS)])).toarray()
    counts = table.sum(axis=0)
    fit = np.flatnonzero((counts >= max(low * n, options.texts_per_cluster)) & (counts <= high * n))
    given = table[:, fit] / counts[fit]
    usual = np.bincount(cluster, minlength=clusters)[:, None] / len(cluster)
    # The plain estimate of an information is too large by about (cells - 1) / 2n.
    excess = (clusters - 1) / (2.0 * counts[fit])
    information = np.sum(given * np.log(np.where(given > 0.0, given, 1.0) / usual), axis=0) - excess
    fit = fit[information >= options.word_information]
    ranked = fit[np.argsort(-counts[fit], kind="stable")]
    return np.sort(ranked[: options.most_words]).astype(np.int64)


def _unit(vectors: FloatArray) -> FloatArray:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(norm > 1e-12, vectors / np.where(norm > 1e-12, norm, 1.0), 0.0)


def _main_directions(rows: sparse.csr_array, most: int, rng: np.random.Generator) -> FloatArray:
    """Right singular vectors of the largest singular values, by random projection and power iterations. Shape (BUCKETS, D)."""
    # Buckets that never occur are left out: they are most of them.
    used = np.flatnonzero(np.asarray(rows.sum(axis=0)).ravel() > 0.0)
    small = sparse.csr_array(rows[:, used])
    turned = sparse.csr_array(small.T)
    width = min(most + 10, len(rows.indptr) - 1, len(used))
    if width == 0:
        return np.zeros((BUCKETS, 0))
    basis = np.asarray(small @ rng.standard_normal((len(used), width)))
    for _ in range(3):
        basis = np.linalg.qr(basis)[0]
        basis = np.asarray(small @ np.asarray(turned @ basis))
    basis = np.linalg.qr(basis)[0]
    right = np.linalg.svd(np.asarray(turned @ basis).T, full_matrices=False)[2]
    directions = np.zeros((BUCKETS, min(most, width)))
    directions[used] = right[: directions.shape[1]].T
    return directions


def _spherical_kmeans(
    vectors: FloatArray, clusters: int, rng: np.random.Generator, options: TopicOptions
) -> FloatArray:
    """Unit centres with the largest sum of cosines, of several starts. Shape (K, D)."""
    best, best_fit = np.zeros((0, vectors.shape[1])), -np.inf
    for _ in range(options.tries):
        centres = _spread_centres(vectors, clusters, rng)
        for _ in range(options.rounds):
            nearest = (vectors @ centres.T).argmax(axis=1)
            member = sparse.csr_array(
                (np.ones(len(vectors)), (nearest, np.arange(len(vectors)))), shape=(len(centres), len(vectors))
            )
            moved = _unit(np.asarray(member @ vectors))
            moved = moved[np.linalg.norm(moved, axis=1) > 0.0]
            if moved.shape == centres.shape and np.allclose(moved, centres, atol=1e-9):
                break
            centres = moved
        fit = float((vectors @ centres.T).max(axis=1).sum())
        if fit > best_fit:
            best, best_fit = centres, fit
    return best


def _spread_centres(vectors: FloatArray, clusters: int, rng: np.random.Generator) -> FloatArray:
    """First centres, each drawn in proportion to its distance from those before (k-means++)."""
    chosen = [int(rng.integers(len(vectors)))]
    gap = 1.0 - vectors @ vectors[chosen[0]]
    while len(chosen) < clusters:
        weight = np.maximum(gap, 0.0)
        if weight.sum() <= 1e-9:  # fewer different texts than clusters
            break
        chosen.append(int(rng.choice(len(vectors), p=weight / weight.sum())))
        gap = np.minimum(gap, 1.0 - vectors @ vectors[chosen[-1]])
    return vectors[chosen]
