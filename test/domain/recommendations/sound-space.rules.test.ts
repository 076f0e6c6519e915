import { describe, expect, test } from 'vitest';
import { createSoundSpace } from '#domain/recommendations/sound-space.rules.ts';
import { seeded } from '../../support/random.ts';

const point = (...values: number[]) => Float32Array.from(values);

describe('sound space', () => {
  test('[AF10] the nearest come first, without the track itself, measured by how much each number varies', async () => {
    const space = createSoundSpace([1, 1]);
    // The second number varies a thousandfold as much, and counts no more.
    space.set('a', point(0, 0));
    space.set('b', point(0.1, 3000));
    space.set('c', point(1, 0));
    space.set('d', point(0, 1000));
    const nearest = await space.nearest('a', 3);
    expect(nearest.map(({ id }) => id)).toEqual(['d', 'c', 'b']);
    expect(nearest.map(({ distance }) => distance)).toEqual(nearest.map(({ distance }) => distance).toSorted());
    expect(await space.nearest('nobody', 3)).toEqual([]);
    expect(await space.nearest('a', 1)).toHaveLength(1);
  });

  test('[AF10] it is what comparing all of them says, for more tracks than are looked at at once', async () => {
    const { next } = seeded(3);
    const size = 4;
    const weights = [1, 0.5, 2, 1];
    const space = createSoundSpace(weights);
    const points = Array.from({ length: 25_000 }, () => Float32Array.from({ length: size }, () => next()));
    points.forEach((one, i) => space.set(String(i), one));
    const from = points[77]!;
    const far = (other: Float32Array) =>
      weights.reduce((sum, weight, i) => sum + weight * (other[i]! - from[i]!) ** 2, 0);
    const expected = points
      .map((one, i) => ({ id: String(i), far: far(one) }))
      .toSorted((a, b) => a.far - b.far)
      .slice(1, 21);
    const nearest = await space.nearest('77', 20);
    expect(nearest.slice(0, 15).every(({ id }) => expected.some((one) => one.id === id))).toBe(true);
    expect(nearest[0]!.distance).toBeLessThan(0.2);
  });

  test('[AF10] tracks move, go, and come back; one odd number is no more than three deviations', async () => {
    const space = createSoundSpace([1]);
    for (let i = 0; i < 50; i++) space.set(`t${i}`, point(i));
    expect((await space.nearest('t0', 1))[0]!.id).toBe('t1');
    space.set('t1', null);
    space.set('t1', null);
    expect((await space.nearest('t0', 1))[0]!.id).toBe('t2');
    space.set('t1', point(0.2));
    space.set('t2', point(40));
    expect((await space.nearest('t0', 2)).map(({ id }) => id)).toEqual(['t1', 't3']);
    expect(space.count()).toBe(50);
    space.set('odd', point(1e9));
    expect((await space.nearest('odd', 1))[0]!.distance).toBeLessThan(2.2);
  });

  test('[AF10] what is no point of this space, or does not vary, tells nothing', async () => {
    const space = createSoundSpace([1, 1]);
    space.set('a', point(1, 5));
    space.set('b', point(2, 5));
    space.set('short', point(1));
    space.set('broken', point(1, NaN));
    expect(space.count()).toBe(2);
    const [b] = await space.nearest('a', 5);
    expect(b!.id).toBe('b');
    expect(Number.isFinite(b!.distance)).toBe(true);
    expect(await createSoundSpace([1]).nearest('a', 5)).toEqual([]);
  });
});
