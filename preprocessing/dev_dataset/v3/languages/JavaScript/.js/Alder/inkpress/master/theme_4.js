// Light and dark colours, remembered between visits. Loaded in <head> without
// `defer`, so the page never flashes in the wrong colours.

const STORAGE_KEY = 'inkpress-theme';
const THEMES = ['light', 'dark', 'auto'];

/** What the visitor chose before, or 'auto' when storage is closed to us. */
function readChoice() {
  try {
    const value = window.localStorage.getItem(STORAGE_KEY);
    return THEMES.includes(value) ? value : 'auto';
  } catch (error) {
    return 'auto';
  }
}

function saveChoice(theme) {
  try {
    window.localStorage.setItem(STORAGE_KEY, theme);
  } catch (error) {
    // Private windows may refuse; the choice then lasts until the page closes.
  }
}

function resolve(theme) {
  if (theme !== 'auto') {
    return theme;
  }
  const query = window.matchMedia('(prefers-color-scheme: dark)');
  return query.matches ? 'dark' : 'light';
}

function apply(theme) {
  const root = document.documentElement;
  root.dataset.theme = resolve(theme);
  root.dataset.themeChoice = theme;
  document.querySelectorAll('[data-theme-label]').forEach((element) => {
    element.textContent = theme[0].toUpperCase() + theme.slice(1);
  });
}

function nextTheme(theme) {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
}

apply(readChoice());

document.addEventListener('DOMContentLoaded', () => {
  let current = readChoice();
  apply(current);

  const button = document.querySelector('[data-theme-toggle]');
  if (button) {
    button.hidden = false;
    button.addEventListener('click', () => {
      current = nextTheme(current);
      saveChoice(current);
      apply(current);
    });
  }

  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    if (current === 'auto') {
      apply(current);
    }
  });
});
