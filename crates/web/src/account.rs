//! The pages of an account: join, sign in, me. Everything that they do needs scripts, because a
//! key never leaves the browser; without scripts they say so.

use maud::{Markup, html};
use pitpet_chain::limits;
use pitpet_pipeline::http::HttpResponse;

use crate::layout::{self, Page};
use crate::texts::Lang;
use crate::texts::account::{AccountTexts, DE, EN};
use crate::view::View;

/// The page with this name: `join`, `signin` or `me`.
pub(crate) fn page(view: &View<'_>, name: &str) -> HttpResponse {
    let t = match view.lang {
        Lang::En => &EN,
        Lang::De => &DE,
    };
    let (title, main) = match name {
        "join" => (t.join_title, join(t)),
        "signin" => (t.signin_title, signin(t)),
        _ => (t.me_title, me(view, t)),
    };
    let description = view.t.feed_description;
    layout::page(view, &Page { title, description, kind: name, unlisted: true, main, ..Page::default() })
}

/// Shown until scripts run.
fn needs_scripts(t: &AccountTexts) -> Markup {
    html! { noscript { p { (t.no_script) } } }
}

/// Shown by the style sheet alone, after a while, if no script has turned the page on.
fn stuck(t: &AccountTexts) -> Markup {
    html! { p.stuck.problem { (t.stuck) " " a href="" { (t.reload) } } }
}

/// `/join`.
fn join(t: &AccountTexts) -> Markup {
    html! {
        h1 { (t.join_title) }
        p.lead { (t.join_lead) }
        (needs_scripts(t))
        (stuck(t))
        p #has-pet hidden { (t.has_pet) " " a #has-pet-link href="" { (t.to_pet) } }
        form #join data-off {
            p #again hidden { (t.again) " " strong data-own-name {} "." }
            fieldset {
                legend { (t.pet_legend) }
                p.field {
                    label for="pet-name" { (t.pet_name) }
                    input #pet-name type="text" required maxlength=(limits::PET_NAME_CHARS_MAX) autocomplete="off";
                }
                p.field {
                    label for="photo" { (t.photo) }
                    input #photo type="file" accept="image/*" required aria-describedby="photo-hint";
                    small #photo-hint { (t.photo_hint) }
                }
                img #preview hidden width="240" height="240" alt=(t.preview_alt);
                p.field {
                    label for="story" { (t.story) }
                    textarea #story rows="3" maxlength="2000" {}
                }
            }
            fieldset #account-part {
                legend { (t.account_legend) }
                p.field {
                    label for="user" { (t.user) }
                    input #user type="text" required minlength="3" maxlength="30" pattern="[a-z][a-z0-9_\\-]*"
                        autocomplete="username" autocapitalize="none" spellcheck="false" aria-describedby="user-hint";
                    small #user-hint { (t.user_hint) }
                }
                p.field {
                    label for="password" { (t.password) }
                    input #password type="password" required minlength=(pitpet_keys::password::CHARS_MIN)
                        autocomplete="new-password" aria-describedby="strength-words password-hint";
                    meter #strength min="0" max="4" low="2" high="3" optimum="4" value="0" aria-hidden="true" {}
                    small #strength-words role="status" {}
                    small #password-hint { (t.password_hint) }
                }
                p.field {
                    label for="password-again" { (t.password_again) }
                    input #password-again type="password" required autocomplete="new-password";
                }
                p.warning { (t.warning) }
            }
            p { button type="submit" { (t.join_button) } }
            ol #steps hidden {}
            p #join-problem .problem role="alert" {}
        }
        section #born hidden tabindex="-1" {
            h2 { (t.born) }
            div #key-file-part {
                p { (t.key_file_why) }
                p { a.button #key-file href="" { (t.key_file_link) } }
            }
            p { a.button #to-pet href="" { (t.to_pet) } }
        }
    }
}

/// `/signin`.
fn signin(t: &AccountTexts) -> Markup {
    html! {
        h1 { (t.signin_title) }
        (needs_scripts(t))
        (stuck(t))
        form #by-password data-off {
            h2 { (t.by_password) }
            p { (t.by_password_hint) }
            p.field {
                label for="signin-user" { (t.user) }
                input #signin-user type="text" required autocomplete="username" autocapitalize="none" spellcheck="false";
            }
            p.field {
                label for="signin-password" { (t.password) }
                input #signin-password type="password" required autocomplete="current-password";
            }
            p { button type="submit" { (t.signin_button) } }
            p #password-problem .problem role="status" {}
        }
        form #by-file data-off {
            h2 { (t.by_file) }
            p { (t.by_file_hint) }
            p.field {
                label for="signin-file" { (t.file) }
                input #signin-file type="file" accept=".age" required;
            }
            p.field {
                label for="file-password" { (t.file_password) }
                input #file-password type="password" required autocomplete="off";
            }
            p { button type="submit" { (t.signin_button) } }
            p #file-problem .problem role="status" {}
        }
    }
}

/// What of `/me` an account keeps and is told.
fn belongings(view: &View<'_>) -> Markup {
    let b = crate::pages::belongings::texts(view);
    html! {
        section aria-labelledby="notices-title" {
            h2 #notices-title { (b.notices) }
            div #notices {}
        }
        section aria-labelledby="bookmarks-title" {
            h2 #bookmarks-title { (b.bookmarks) }
            p.soft #bookmarks-none hidden { (b.bookmarks_none) }
            div #bookmarks {}
            p.more { button.button.quiet #bookmarks-more type="button" hidden { (view.t.more) } }
            h3 { (b.mutes) }
            p.soft #mutes-none hidden { (b.mutes_none) }
            ul.tags #mutes {}
            p #list-problem .problem role="status" {}
            p.small.soft { (b.bookmarks_hint) }
        }
        form #profile {
            h2 { (b.profile) }
            p.field {
                label for="bio" { (b.bio) }
                textarea #bio rows="3" maxlength=(pitpet_pipeline::belongings::BIO_CHARS_MAX) aria-describedby="bio-hint" {}
                small #bio-hint { (b.bio_hint) }
            }
            fieldset {
                legend { (b.avatar) }
                p.small.soft { (b.avatar_hint) }
                div #avatars .choices {
                    label { input type="radio" name="avatar" value="" checked; span { (b.avatar_none) } }
                }
            }
            p { button type="submit" { (b.save) } }
            p #profile-problem .problem role="status" {}
        }
        form #export {
            h2 { (b.export) }
            p { (b.export_lead) }
            p { button type="submit" { (b.export_button) } " " a.button #export-link href="" hidden { (b.export_link) } }
            p #export-problem .problem role="status" {}
        }
    }
}

/// A new password, typed twice.
fn new_password(t: &AccountTexts, id: &str) -> Markup {
    let again = format!("{id}-again");
    html! {
        p.field {
            label for=(id) { (t.password_new) }
            input id=(id) type="password" required minlength=(pitpet_keys::password::CHARS_MIN) autocomplete="new-password";
        }
        p.field {
            label for=(again) { (t.password_again) }
            input id=(again) type="password" required autocomplete="new-password";
        }
    }
}

/// `/me`.
fn me(view: &View<'_>, t: &AccountTexts) -> Markup {
    html! {
        h1 { (t.me_title) }
        (needs_scripts(t))
        (stuck(t))
        section #signed-out hidden {
            p { (t.me_signed_out) " " a href=(view.href("/signin")) { (t.signin_title) } " · " a href=(view.href("/join")) { (t.join_title) } }
        }
        section #signed-in data-off {
            dl.pairs {
                dt { (t.user) } dd { strong #me-name {} }
                dt { (t.me_account) } dd { a #me-page href="" { code #me-id {} } }
            }
            div #own-pets {}
            ul #holdings {}
            p.row { button.button.quiet #sign-out type="button" { (t.sign_out) } small.soft { (t.sign_out_hint) } }
            (belongings(view))
            form #new-file {
                h2 { (t.key_file_link) }
                p { (t.key_file_why) }
                p.field {
                    label for="new-file-password" { (t.password) }
                    input #new-file-password type="password" required autocomplete="current-password";
                }
                p.field {
                    label for="new-file-other" { (t.key_file_other) }
                    input #new-file-other type="password" minlength=(pitpet_keys::password::CHARS_MIN) autocomplete="off" aria-describedby="new-file-hint";
                    small #new-file-hint { (t.key_file_other_hint) }
                }
                p { button type="submit" { (t.key_file_button) } " " a.button #new-file-link href="" hidden { (t.key_file_link) } }
                p #new-file-problem .problem role="status" {}
            }
            form #new-password {
                h2 { (t.change_password) }
                input type="text" autocomplete="username" hidden;
                p.field {
                    label for="password-old" { (t.password_old) }
                    input #password-old type="password" required autocomplete="current-password";
                }
                (new_password(t, "password-new"))
                p.warning { (t.warning) }
                p { button type="submit" { (t.change_password) } }
                p #new-password-problem .problem role="status" {}
            }
            form #renew {
                h2 { (t.renew) }
                p { (t.renew_hint) }
                input type="text" autocomplete="username" hidden;
                p.field {
                    label for="renew-file" { (t.file) }
                    input #renew-file type="file" accept=".age" required;
                }
                p.field {
                    label for="renew-file-password" { (t.file_password) }
                    input #renew-file-password type="password" required autocomplete="off";
                }
                (new_password(t, "renew-password"))
                p { button type="submit" { (t.renew) } }
                p #renew-problem .problem role="status" {}
            }
        }
    }
}
