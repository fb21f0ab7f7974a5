import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { imageVersion, roleFileProblem } from './gluetun-roles.policy.js';

const shipped = (name: string): string => readFileSync(new URL(`../../../../docker/gluetun/${name}`, import.meta.url), 'utf8');

describe("Gluetun's role file", () => {
  it.each([
    ['auth-config.toml', 'v3.41.1'],
    ['auth-config.toml', 'v4.0.0'],
    ['auth-config.v3.40.toml', 'v3.40.3'],
    ['auth-config.v3.40.toml', '3.40'],
  ])('%s can be read by %s', (name, version) => {
    expect(roleFileProblem(shipped(name), version)).toBeNull();
  });

  it('of another range of versions is a problem that names the route and the right file', () => {
    expect(roleFileProblem(shipped('auth-config.toml'), 'v3.40.3')).toEqual({
      route: 'GET /v1/portforward',
      rightFile: 'auth-config.v3.40.toml',
    });
    expect(roleFileProblem(shipped('auth-config.v3.40.toml'), 'v4.0.0')).toEqual({
      route: 'GET /v1/openvpn/portforwarded',
      rightFile: 'auth-config.toml',
    });
  });

  it('with both routes can be read by 3.41 only', () => {
    const both = 'routes = ["GET /v1/portforward", "GET /v1/openvpn/portforwarded"]';
    expect(roleFileProblem(both, 'v3.41.1')).toBeNull();
    for (const older of ['v3.40.0', 'v0.9.0']) expect(roleFileProblem(both, older)).not.toBeNull();
    expect(roleFileProblem(both, 'v4.0.0')).not.toBeNull();
  });

  it.each(['latest', 'v3', '', 'pr-2995'])('is not judged for the version %j', (version) => {
    expect(roleFileProblem(shipped('auth-config.toml'), version)).toBeNull();
  });

  it.each([
    ['qmcgaw/gluetun:v3.40.3', {}, 'v3.40.3'],
    ['registry:5000/gluetun', { 'org.opencontainers.image.version': 'v4.0.0' }, 'v4.0.0'],
    ['qmcgaw/gluetun:latest', { 'org.opencontainers.image.version': 'v3.41.1' }, 'v3.41.1'],
    ['qmcgaw/gluetun:latest', { 'org.opencontainers.image.version': 'latest' }, 'latest'],
  ])('is judged for the version of the image %s with the labels %j: %s', (image, labels, version) => {
    expect(imageVersion(image, labels)).toBe(version);
  });

  it('may name the other route in a comment', () => {
    expect(roleFileProblem('# "GET /v1/portforward"', 'v3.40.0')).toBeNull();
  });
});
