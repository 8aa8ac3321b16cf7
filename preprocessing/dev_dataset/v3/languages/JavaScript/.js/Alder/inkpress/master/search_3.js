/*
 * Client-side search for an inkpress site.
 *
 * The build writes /search.json, an array of {title, url, summary, tags}. It is
 * fetched the first time somebody types, indexed by word, and kept in memory.
 */
(function () {
  'use strict';

  var INDEX_URL = '/search.json';
  var MIN_QUERY_LENGTH = 2;
  var MAX_RESULTS = 10;
  var WEIGHTS = { title: 5, tags: 3, summary: 1 };

  var pending = null;

  function words(text) {
    return String(text)
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .filter(function (word) {
        return word.length >= MIN_QUERY_LENGTH;
      });
  }

  function buildIndex(pages) {
    var postings = Object.create(null);
    pages.forEach(function (page, number) {
      Object.keys(WEIGHTS).forEach(function (field) {
        var value = Array.isArray(page[field]) ? page[field].join(' ') : page[field] || '';
        words(value).forEach(function (word) {
          var row = postings[word] || (postings[word] = Object.create(null));
          row[number] = (row[number] || 0) + WEIGHTS[field];
        });
      });
    });
    return { pages: pages, postings: postings };
  }

  function load() {
    if (pending === null) {
      pending = fetch(INDEX_URL)
        .then(function (response) {
          if (!response.ok) {
            throw new Error('search index: HTTP ' + response.status);
          }
          return response.json();
        })
        .then(buildIndex);
    }
    return pending;
  }

  // Every word of the query must match the beginning of some indexed word.
  function find(index, query) {
    var totals = null;
    words(query).forEach(function (prefix) {
      var scores = Object.create(null);
      Object.keys(index.postings).forEach(function (word) {
        if (word.indexOf(prefix) !== 0) {
          return;
        }
        var row = index.postings[word];
        Object.keys(row).forEach(function (number) {
          var bonus = word === prefix ? 2 : 1;
          if (totals === null || number in totals) {
            scores[number] = (scores[number] || 0) + bonus * row[number];
          }
        });
      });
      Object.keys(scores).forEach(function (number) {
        scores[number] += totals === null ? 0 : totals[number];
      });
      totals = scores;
    });
    return Object.keys(totals || {})
      .sort(function (a, b) {
        return totals[b] - totals[a] || a - b;
      })
      .slice(0, MAX_RESULTS)
      .map(function (number) {
        return index.pages[number];
      });
  }

  window.inkpressSearch = { buildIndex: buildIndex, find: find, load: load };
})();
